"""A timeline as a file: JSON Lines of the shape the API has, or CSV for a spreadsheet."""

import csv
import re
from collections.abc import Iterator

import orjson
from django.http import StreamingHttpResponse

from audittrail.models import AuditEvent
from audittrail.timeline.filters import Filters
from audittrail.web.serializers import EventSerializer
from audittrail.web.wording import actor_name

_CHUNK = 200
_COLUMNS = (
    "sequence", "occurred_at", "recorded_at", "action", "actor_id", "actor", "role", "desk",
    "title", "status", "fields", "words_added", "words_removed", "event_id", "hash",
)  # fmt: skip
# A spreadsheet would run a cell that starts like this as a formula.
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}


def response(article_id: str, filters: Filters, form: str) -> StreamingHttpResponse:
    """The events that pass, oldest first, streamed; ``form`` is `jsonl` or `csv`."""
    lines = {"jsonl": _json_lines, "csv": _csv_lines}[form](_events(article_id, filters))
    name = re.sub(r"[^\w.-]+", "-", article_id, flags=re.ASCII)
    return StreamingHttpResponse(
        lines, content_type=_TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    )


def _events(article_id: str, filters: Filters) -> Iterator[AuditEvent]:
    after = 0
    while chunk := list(
        filters.apply(AuditEvent.objects.filter(article_id=article_id, sequence__gt=after)).order_by("sequence")[
            :_CHUNK
        ]
    ):
        yield from chunk
        after = chunk[-1].sequence


def _json_lines(events: Iterator[AuditEvent]) -> Iterator[bytes]:
    return (orjson.dumps(EventSerializer(event).data, option=orjson.OPT_APPEND_NEWLINE) for event in events)


class _Echo:
    """A file that gives back what is written: csv then makes one line at a time."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(events: Iterator[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_COLUMNS)
    for event in events:
        yield writer.writerow([_cell(value) for value in _values(event)])


def _values(event: AuditEvent) -> tuple[object, ...]:
    fields = " ".join(change["field"] for change in event.changes)
    data = EventSerializer(event).data
    return (
        event.sequence, data["occurred_at"], data["recorded_at"], event.action,
        event.actor_id, actor_name(event), event.actor_role, event.actor_desk,
        event.title, event.status, fields, event.words_added, event.words_removed, data["event_id"], data["hash"],
    )  # fmt: skip


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text
