"""Pages of one article's events by sequence: as quick on the last page of a long history as on the first.

Sequences have no gaps by design, so a range of them bounds the rows a page may read: filters look through at most
``WINDOW`` events at a time and say where they stopped.
"""

from dataclasses import dataclass

from django.db.models import QuerySet

from audittrail.models import AuditEvent
from audittrail.timeline.filters import Filters

PAGE_SIZE = 50
WINDOW = 2_000
_HEAVY = ("keyframe", "salt", "state_digest")


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, out of sequences [lowest, highest]; the cursors are sequences, None at either end."""

    events: list[AuditEvent]
    lowest: int
    highest: int
    older: int | None
    newer: int | None


def newest_sequence(article_id: str) -> int:
    """The last sequence stored of an article; 0 if there is none."""
    events = AuditEvent.objects.filter(article_id=article_id).order_by("-sequence")
    return events.values_list("sequence", flat=True).first() or 0


def page(
    article_id: str,
    newest: int,
    filters: Filters,
    before: int | None = None,
    after: int | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """The events next before a sequence, or next after one; else the newest. ``newest`` is the last stored sequence."""
    if after is not None:
        return _upwards(article_id, newest, filters, after, size)
    return _downwards(article_id, newest, filters, min(before or newest + 1, newest + 1), size)


def _downwards(article_id: str, newest: int, filters: Filters, before: int, size: int) -> Page:
    floor = max(1, before - WINDOW)
    events = list(_range(article_id, filters, floor, before - 1).order_by("-sequence")[: size + 1])
    more = len(events) > size
    events = events[:size]
    lowest = events[-1].sequence if more else floor
    return Page(
        events, lowest, before - 1, older=lowest if lowest > 1 else None, newer=before - 1 if before <= newest else None
    )


def _upwards(article_id: str, newest: int, filters: Filters, after: int, size: int) -> Page:
    ceiling = min(newest, after + WINDOW)
    events = list(_range(article_id, filters, after + 1, ceiling).order_by("sequence")[: size + 1])
    more = len(events) > size
    events = events[:size][::-1]
    highest = events[0].sequence if more else ceiling
    return Page(
        events, after + 1, highest, older=after + 1 if after > 0 else None, newer=highest if highest < newest else None
    )


def _range(article_id: str, filters: Filters, lowest: int, highest: int) -> QuerySet[AuditEvent]:
    events = AuditEvent.objects.filter(article_id=article_id, sequence__gte=lowest, sequence__lte=highest)
    return filters.apply(events).defer(*_HEAVY)
