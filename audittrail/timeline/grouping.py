"""Rows of a timeline: runs of edits by one person collapse, publications and changes of status never do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from audittrail.models import AuditEvent
from audittrail.timeline.gaps import Gap

PAUSE = timedelta(minutes=10)
SHORTEST_RUN = 3
_FOLDS = ("edited", "saved")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive edits by one person without a longer pause than ``PAUSE``; newest first."""

    events: list[AuditEvent]

    @property
    def newest(self) -> AuditEvent:
        return self.events[0]

    @property
    def oldest(self) -> AuditEvent:
        return self.events[-1]

    @property
    def fields(self) -> list[str]:
        return list(dict.fromkeys(change["field"] for event in self.events for change in event.changes))

    @property
    def words_added(self) -> int:
        return sum(event.words_added for event in self.events)

    @property
    def words_removed(self) -> int:
        return sum(event.words_removed for event in self.events)


@dataclass(frozen=True, slots=True)
class Day:
    """The rows of one local day."""

    date: date
    rows: list[AuditEvent | Run | Gap]


def days(events: Sequence[AuditEvent], gaps: Sequence[Gap] = ()) -> list[Day]:
    """Events and gaps, each newest first, as rows under the local day they occurred on (a gap stays with the event
    above it).
    """
    found: list[Day] = []
    for row in _merged(_runs(events), gaps):
        day = _day(row)
        if not found or (day is not None and day != found[-1].date):
            found.append(Day(day or _day_of_first(events), []))
        found[-1].rows.append(row)
    return found


def _day(row: AuditEvent | Run | Gap) -> date | None:
    if isinstance(row, Gap):
        return None
    event = row.newest if isinstance(row, Run) else row
    return timezone.localdate(event.occurred_at)


def _day_of_first(events: Sequence[AuditEvent]) -> date:
    return timezone.localdate(events[0].occurred_at) if events else timezone.localdate()


def _merged(rows: list[AuditEvent | Run], gaps: Sequence[Gap]) -> list[AuditEvent | Run | Gap]:
    return sorted([*rows, *gaps], key=_top, reverse=True)


def _top(row: AuditEvent | Run | Gap) -> int:
    if isinstance(row, Gap):
        return row.last
    return row.newest.sequence if isinstance(row, Run) else row.sequence


def _runs(events: Sequence[AuditEvent]) -> list[AuditEvent | Run]:
    groups: list[list[AuditEvent]] = []
    for event in events:
        if groups and _continues(groups[-1][-1], event):
            groups[-1].append(event)
        else:
            groups.append([event])
    return [row for group in groups for row in ([Run(group)] if len(group) >= SHORTEST_RUN else group)]


def _continues(newer: AuditEvent, older: AuditEvent) -> bool:
    return (
        newer.action in _FOLDS
        and older.action in _FOLDS
        and (newer.actor_type, newer.actor_id) == (older.actor_type, older.actor_id)
        and newer.sequence == older.sequence + 1
        and abs(newer.occurred_at - older.occurred_at) <= PAUSE
        and timezone.localdate(newer.occurred_at) == timezone.localdate(older.occurred_at)
    )
