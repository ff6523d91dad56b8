"""Where articles are written, and taken from draft to publication."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.forms import BaseFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

import audittrail
from audittrail.admin_base import InfinitePaginator, ModelAdmin, TabularInline, action, display
from newsroom import workflow
from newsroom.body import sanitiser
from newsroom.forms import ArticleForm, ScheduleForm, TransitionForm
from newsroom.models import Article, Author, BodyFormat, Credit, Section, Status, Tag

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldsetSpec

    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin

_STATUS_COLOURS = {
    Status.DRAFT.label: "warning",
    Status.IN_REVIEW.label: "info",
    Status.SCHEDULED.label: "primary",
    Status.PUBLISHED.label: "success",
}


def _asking(
    title: str, description: str, submit: str, form: type[TransitionForm] = TransitionForm
) -> dict[str, object]:
    return {"title": title, "description": description, "form_class": form, "form_submit_text": submit}


def timeline_url(article: Article) -> str | None:
    """The article's page in the audit trail; None on a site without one."""
    try:
        return reverse("admin:audittrail_timeline", args=[audittrail.article_id(article)])
    except NoReverseMatch:
        return None


def _sanitised(body: str) -> SafeString:
    return mark_safe(sanitiser()(body))  # noqa: S308 - it is what the sanitiser let through


def _existing(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> Any:  # Any: of the admin's model
    found = model_admin.get_object(request, object_id)
    if found is None:
        raise Http404(f"There is no {model_admin.opts.verbose_name} {object_id}.")
    return found


def _to_timeline(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    tracked = _existing(model_admin, request, object_id)
    return redirect(reverse("admin:audittrail_timeline", args=[audittrail.article_id(tracked)]))


class CreditInline(TabularInline):
    model = Credit
    autocomplete_fields = ("author",)
    ordering_field = "position"
    hide_ordering_field = True
    extra = 0


@admin.register(Article)
class ArticleAdmin(ModelAdmin):
    form = ArticleForm
    inlines = (CreditInline,)
    autocomplete_fields = ("section", "tags")
    prepopulated_fields = {"slug": ("headline",)}
    readonly_fields = ("state", "published_at", "last_change")
    fieldsets = (
        (None, {"fields": ("headline", "standfirst", "body")}),
        ("Filing", {"fields": (("section", "tags"), "slug")}),
        ("State", {"fields": (("state", "published_at", "last_change"),)}),
    )
    add_fieldsets = fieldsets[:2]
    list_display = ("headline", "state", "section", "bylines", "last_change", "timeline_link")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("section", RelatedDropdownFilter),
        ("published_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("section",)
    list_per_page = 50
    search_fields = ("headline", "slug", "external_id")
    show_full_result_count = False
    paginator = InfinitePaginator
    warn_unsaved_form = True
    compressed_fields = False
    actions_detail = ("timeline", "send_to_review", "schedule", "publish", "unpublish", "archive")

    class Media:
        css = {"all": ("newsroom/writing.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        articles: QuerySet[Article] = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "newsroom_article_changelist":
            return articles.defer("body", "standfirst").prefetch_related("credits__author")
        return articles

    def get_fieldsets(self, request: HttpRequest, obj: Article | None = None) -> "_FieldsetSpec":
        """Who may only read gets the text to read, not its source."""
        if obj is None or self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return ((None, {"fields": ("headline", "standfirst", "text")}), *self.fieldsets[1:])

    def save_related(
        self, request: HttpRequest, form: ArticleForm, formsets: "list[BaseFormSet[Any]]", change: bool
    ) -> None:
        """A save is an event even when it changed nothing: an editor looked at the article and left it as it was."""
        super().save_related(request, form, formsets, change)
        audittrail.record_save(form.instance)

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def state(self, article: Article) -> str:
        return article.get_status_display()

    @display(description="Body")
    def text(self, article: Article) -> str:
        if article.body_format == BodyFormat.PLAIN:
            return format_html('<pre class="newsroom-plain">{}</pre>', article.body)
        return format_html('<div class="newsroom-text">{}</div>', _sanitised(article.body))

    @display(description="By")
    def bylines(self, article: Article) -> str:
        return ", ".join(credit.author.byline for credit in article.credits.all())

    @display(description="Last change", ordering="updated_at")
    def last_change(self, article: Article) -> str:
        return f"{timezone.localtime(article.updated_at):%d %b %Y, %H:%M}"

    @display(description="Timeline")
    def timeline_link(self, article: Article) -> str:
        url = timeline_url(article)
        return (
            format_html('<a class="newsroom-link" href="{}" title="Who changed what, and when">Timeline</a>', url)
            if url
            else ""
        )

    @action(description="Timeline", icon="history", permissions=["timeline"])
    def timeline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _to_timeline(self, request, object_id)

    @action(
        description="Send to review",
        icon="rate_review",
        variant=ActionVariant.PRIMARY,
        permissions=["send_to_review"],
        dialog=_asking("Send to review?", "The desk will read it before it is published.", "Send to review"),
    )
    def send_to_review(self, request: HttpRequest, form: TransitionForm, object_id: str) -> HttpResponse:
        return self._move(request, object_id, workflow.send_to_review, "Sent to review.")

    @action(
        description="Schedule",
        icon="schedule",
        permissions=["schedule"],
        dialog=_asking("Schedule", "It is published by itself at this time.", "Schedule", ScheduleForm),
    )
    def schedule(self, request: HttpRequest, form: ScheduleForm, object_id: str) -> HttpResponse:
        at = form.cleaned_data["at"]
        return self._move(
            request,
            object_id,
            lambda article, user: workflow.schedule(article, user, at),
            f"Scheduled for {at:%d %B %Y %H:%M}.",
        )

    @action(
        description="Publish",
        icon="public",
        variant=ActionVariant.SUCCESS,
        permissions=["publish"],
        dialog=_asking("Publish now?", "Everybody can read it from this moment.", "Publish"),
    )
    def publish(self, request: HttpRequest, form: TransitionForm, object_id: str) -> HttpResponse:
        return self._move(request, object_id, workflow.publish, "Published.")

    @action(
        description="Unpublish",
        icon="unpublished",
        variant=ActionVariant.WARNING,
        permissions=["unpublish"],
        dialog=_asking("Take it down?", "It becomes a draft again, and readers no longer see it.", "Unpublish"),
    )
    def unpublish(self, request: HttpRequest, form: TransitionForm, object_id: str) -> HttpResponse:
        return self._move(request, object_id, workflow.unpublish, "Taken down: it is a draft again.")

    @action(
        description="Archive",
        icon="archive",
        permissions=["archive"],
        dialog=_asking("Archive?", "It leaves the desk. Sending it to review brings it back.", "Archive"),
    )
    def archive(self, request: HttpRequest, form: TransitionForm, object_id: str) -> HttpResponse:
        return self._move(request, object_id, workflow.archive, "Archived.")

    def has_timeline_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        article = self._article(request, object_id)
        return (
            article is not None
            and request.user.has_perm("audittrail.view_auditevent")
            and timeline_url(article) is not None
        )

    def has_send_to_review_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(workflow.SEND_TO_REVIEW, request, object_id)

    def has_schedule_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(workflow.SCHEDULE, request, object_id)

    def has_publish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(workflow.PUBLISH, request, object_id)

    def has_unpublish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(workflow.UNPUBLISH, request, object_id)

    def has_archive_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(workflow.ARCHIVE, request, object_id)

    def _may(self, transition: workflow.Transition, request: HttpRequest, object_id: str | None) -> bool:
        """Which buttons are shown; the workflow itself decides."""
        article = self._article(request, object_id)
        return article is not None and request.user.has_perm(transition.permission) and transition.allowed_from(article)

    def _article(self, request: HttpRequest, object_id: str | None) -> Article | None:
        """The article of this page: asked for by every button, read once."""
        article: Article | None = getattr(request, "_article", None)
        if article is None and object_id is not None:
            if not object_id.isascii() or not object_id.isdecimal():
                return None
            article = Article.objects.only("status", "headline").filter(pk=object_id).first()
            request._article = article  # type: ignore[attr-defined]  # requests are open for what is to be kept with them
        return article

    def _move(
        self, request: HttpRequest, object_id: str, change: Callable[[Article, workflow.Requester], object], done: str
    ) -> HttpResponse:
        article: Article = _existing(self, request, object_id)
        try:
            change(article, request.user)
        except workflow.TransitionRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, done)
        url = reverse("admin:newsroom_article_change", args=[article.pk])
        return HttpResponse(headers={"HX-Redirect": url}) if request.headers.get("HX-Request") else redirect(url)


@admin.register(Author)
class AuthorAdmin(ModelAdmin):
    list_display = ("name", "role", "desk", "user")
    list_filter = ("desk", "role")
    list_select_related = ("user",)
    search_fields = ("name", "byline")
    autocomplete_fields = ("user",)
    readonly_fields = ("external_id",)
    show_full_result_count = False


@admin.register(Section)
class SectionAdmin(ModelAdmin):
    list_display = ("name", "slug")
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Tag)
class TagAdmin(ModelAdmin):
    search_fields = ("name",)


admin.site.unregister([get_user_model(), Group])


class ChangedBySuperusers:
    """Whoever may change users or groups can give themselves every permission: the permission to do so is not enough.

    A mixin of their admins; what was changed is in the trail.
    """

    actions_detail = ("timeline",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)

    @action(description="Timeline", icon="history", permissions=["timeline"])
    def timeline(self: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:  # type: ignore[misc]  # a mixin
        return _to_timeline(self, request, object_id)

    def has_timeline_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("audittrail.view_auditevent")


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


@admin.register(get_user_model())
class NewsroomUserAdmin(ChangedBySuperusers, _UserAdmin, ModelAdmin):
    """Who may only look sees nothing of a password, not even the parts of its hash that Django shows."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        sets = super().get_fieldsets(request, obj)
        if _is_superuser(request):
            return sets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "password"]})
            for title, options in sets
        ]


@admin.register(Group)
class NewsroomGroupAdmin(ChangedBySuperusers, GroupAdmin, ModelAdmin):
    pass
