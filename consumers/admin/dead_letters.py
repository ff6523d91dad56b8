"""The dead letters in the admin: what stages could not process, as it was read, and its replay."""

import base64

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html

from audittrail.admin_base import ReadOnlyAdmin
from consumers.models import DeadLetter, DeadLetterQuerySet
from consumers.tasks import QueueAway, ask_for_replay

BYTES_SHOWN = 4096
REPLAY_AT_MOST = 5000


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

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        letters: QuerySet[DeadLetter] = super().get_queryset(request)
        match = request.resolver_match
        one = match is not None and (match.url_name or "").endswith("_change")
        return letters if one else letters.defer("value", "headers", "key")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("consumers.change_deadletter")

    @admin.action(description="Put back (replay)…", permissions=["replay"])
    def replay(self, request: HttpRequest, letters: DeadLetterQuerySet) -> HttpResponse | None:
        chosen = letters.replayable()
        ids = [str(key) for key in chosen.values_list("pk", flat=True)[:REPLAY_AT_MOST]]
        if "confirmed" not in request.POST:
            return self._ask(request, letters, ids)
        try:
            ask_for_replay(ids, request.user.pk)
        except QueueAway as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{len(ids)} dead letters are being put back.")
        return None

    def _ask(self, request: HttpRequest, letters: DeadLetterQuerySet, ids: list[str]) -> TemplateResponse:
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
