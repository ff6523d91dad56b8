"""The consumers in the admin: what they do and what they should do, and what they could not process."""

import base64

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView
from kombu.exceptions import OperationalError as BrokerAway

from audittrail.admin_base import AdminPage, ReadOnlyAdmin
from consumers.admin import stage_cards
from consumers.models import ControlAction, DeadLetter, StageControl
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.supervision import control
from consumers.supervision.status import collect
from consumers.tasks import replay_dead_letters

ACTIONS_SHOWN = 15
BYTES_SHOWN = 4096
REPLAY_AT_MOST = 5000
OVERVIEW = "admin:consumers_overview"


class ConsumersPage(AdminPage, TemplateView):
    """All stages, with what an admin may ask of them."""

    title = "Consumers"
    permission_required = "consumers.view_stagecontrol"
    template_name = "admin/consumers/overview.html"

    def get_context_data(self, **kwargs) -> dict:
        status = collect()
        return super().get_context_data(**kwargs) | {
            "cards": stage_cards.cards(status),
            "kafka_problem": status.kafka_problem,
            "at": timezone.localtime(status.at),
            "actions": ControlAction.objects.select_related("user")[:ACTIONS_SHOWN],
            "may_change": self.request.user.has_perm("consumers.change_stagecontrol"),
            "most_processes": MOST_PROCESSES,
            "width": stage_cards.WIDTH,
            "height": stage_cards.HEIGHT,
        }


def live(request: HttpRequest) -> JsonResponse:
    """The cards again, for the page to refresh itself."""
    _require(request, "consumers.view_stagecontrol")
    status = collect()
    return JsonResponse(
        {
            "at": f"{timezone.localtime(status.at):%H:%M:%S}",
            "kafka_problem": status.kafka_problem,
            "cards": stage_cards.cards(status),
        }
    )


@require_POST
def act(request: HttpRequest, stage: str) -> HttpResponse:
    """Carry out what a button asks."""
    _require(request, "consumers.change_stagecontrol")
    action, processes = request.POST.get("action", ""), request.POST.get("processes", "")
    try:
        control.perform(action, stage, request.user, int(processes) if processes.isdecimal() else None)
    except (control.UnknownStage, control.Refused) as error:
        messages.error(request, f"{stage}: {error}")
    else:
        messages.success(request, f"{stage}: {action} is on its way; it takes a second or two.")
    return redirect(OVERVIEW)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


@admin.register(StageControl)
class StageControlAdmin(ReadOnlyAdmin):
    """Shown as one page instead of Django's list."""

    def get_urls(self) -> list:
        page = self.admin_site.admin_view(ConsumersPage.as_view(model_admin=self))
        return [
            path("", page, name="consumers_stagecontrol_changelist"),
            path("overview/", page, name="consumers_overview"),
            path("live/", self.admin_site.admin_view(live), name="consumers_live"),
            path("<str:stage>/act/", self.admin_site.admin_view(act), name="consumers_act"),
        ]


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """What stages could not process; an admin can put it back."""

    list_display = ("failed_at", "stage", "reason", "article_id", "sequence", "origin", "replayed_at")
    list_filter = ("stage", "reason", ("replayed_at", admin.EmptyFieldListFilter))
    search_fields = ("article_id", "detail")
    list_per_page = 50
    show_full_result_count = False
    actions = ("replay",)
    fields = (
        "failed_at",
        "stage",
        "reason",
        "detail",
        "article_id",
        "sequence",
        "origin",
        "origin_timestamp",
        "replayed_at",
        "shown_headers",
        "shown_key",
        "shown_value",
        "payload",
    )
    readonly_fields = ("origin", "shown_headers", "shown_key", "shown_value")

    def get_queryset(self, request: HttpRequest):
        letters = super().get_queryset(request)
        return (
            letters if request.resolver_match.url_name.endswith("_change") else letters.defer("value", "headers", "key")
        )

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("consumers.change_deadletter")

    @admin.action(description="Put back (replay)…", permissions=["replay"])
    def replay(self, request: HttpRequest, letters) -> HttpResponse | None:
        chosen = letters.replayable()
        ids = [str(key) for key in chosen.values_list("pk", flat=True)[:REPLAY_AT_MOST]]
        if "confirmed" not in request.POST:
            return self._ask(request, letters, ids)
        try:
            replay_dead_letters.delay(ids, request.user.pk)
        except BrokerAway as error:
            messages.error(request, f"Nothing was put back, the task queue is away: {error}")
        else:
            messages.success(request, f"{len(ids)} dead letters are being put back.")
        return None

    def _ask(self, request: HttpRequest, letters, ids: list[str]) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": "Put dead letters back",
            "opts": self.model._meta,
            "chosen": letters.count(),
            "replayable": len(ids),
            "selected": request.POST.getlist("_selected_action"),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/consumers/replay.html", context)

    @admin.display(description="Origin")
    def origin(self, letter: DeadLetter) -> str:
        return f"{letter.origin_topic} / {letter.origin_partition} / {letter.origin_offset}"

    @admin.display(description="Headers")
    def shown_headers(self, letter: DeadLetter) -> str:
        lines = (
            f"{name}: {'' if value is None else base64.b64decode(value).decode(errors='replace')}"
            for name, value in letter.headers.items()
        )
        return _preformatted("\n".join(lines))

    @admin.display(description="Key")
    def shown_key(self, letter: DeadLetter) -> str:
        return "–" if letter.key is None else _preformatted(dump(bytes(letter.key)))

    @admin.display(description="Value")
    def shown_value(self, letter: DeadLetter) -> str:
        if letter.value is None:
            return "in object storage, see payload" if letter.payload else "–"
        value = bytes(letter.value)
        more = f"\n… {len(value):,} bytes in all" if len(value) > BYTES_SHOWN else ""
        return _preformatted(dump(value[:BYTES_SHOWN]) + more)


def dump(data: bytes) -> str:
    """Bytes as people read them: offset, hexadecimal, text; sixteen to a line."""
    rows = (data[start : start + 16] for start in range(0, len(data), 16))
    return "\n".join(f"{number * 16:06x}  {row.hex(' '):<47}  {_printable(row)}" for number, row in enumerate(rows))


def _printable(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)


def _preformatted(text: str) -> str:
    return format_html('<pre class="consumers-bytes">{}</pre>', text)
