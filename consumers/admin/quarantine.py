"""The events set aside in the admin: what is wrong with each, and the page on which it is amended and released."""

import orjson
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from audittrail.admin_base import ModelAdmin
from audittrail.contracts.amendments import BadAmendment
from audittrail.models import OutboxEvent
from audittrail.outbox import OutboxQuerySet
from consumers.models import SetAsideEvent
from consumers.operations import quarantine

LIST = "admin:consumers_setasideevent_changelist"


@admin.register(SetAsideEvent)
class SetAsideAdmin(ModelAdmin):
    """Who may change these may release them; nobody adds or deletes any."""

    list_display = ("recorded_at", "article", "sequence", "operation", "title_start", "set_aside", "release_link")
    list_display_links = None
    search_fields = ("article_id", "set_aside")
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> OutboxQuerySet:
        return quarantine.waiting()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.release)
        return [path("<int:key>/release/", page, name="consumers_setasideevent_release"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, *args: object, **kwargs: object) -> HttpResponse:
        event = self.get_object(request, unquote(object_id))
        if event is None:
            raise Http404("No such event.")
        return redirect("admin:consumers_setasideevent_release", event.pk)

    def release(self, request: HttpRequest, key: int) -> HttpResponse:
        """Show what is wrong and what would correct it; on POST, release it with the amendments written there."""
        if not self.has_change_permission(request) or not request.user.is_authenticated:
            raise PermissionDenied
        event = get_object_or_404(quarantine.waiting(), pk=key)
        if request.method != "POST":
            return self._page(
                request, event, orjson.dumps(quarantine.proposals(event), option=orjson.OPT_INDENT_2).decode()
            )
        written = request.POST.get("amendments", "").strip() or "[]"
        try:
            quarantine.release(event, quarantine.checked(orjson.loads(written)), request.user)
        except orjson.JSONDecodeError as error:
            return self._page(request, event, written, f"This is not JSON: {error}")
        except (BadAmendment, quarantine.NotReleased) as error:
            return self._page(request, event, written, str(error))
        messages.success(request, f"{event} is released and will be published in its place.")
        return redirect(LIST)

    def _page(self, request: HttpRequest, event: OutboxEvent, amendments: str, refusal: str = "") -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"Event set aside: {event}",
            "opts": self.model._meta,
            "event": event,
            "problem": quarantine.problem(event, []),
            "amendments": amendments,
            "refusal": refusal,
        }
        return TemplateResponse(request, "admin/consumers/release.html", context, status=400 if refusal else 200)

    @admin.display(description="Article")
    def article(self, event: SetAsideEvent) -> str:
        return str(event.article_id)

    @admin.display(description="Title")
    def title_start(self, event: SetAsideEvent) -> str:
        return str(event.title)[:80]

    @admin.display(description="")
    def release_link(self, event: SetAsideEvent) -> str:
        return format_html('<a class="at-button" href="{}/release/">Mend and release…</a>', event.pk)
