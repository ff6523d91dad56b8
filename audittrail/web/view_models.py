"""An article's timeline and its events, ready for a template: words and marks of the formatters, times and links left
to the template.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from django.utils.safestring import SafeString

from audittrail.events.versions import State
from audittrail.models import AuditEvent
from audittrail.timeline.gaps import Gap
from audittrail.timeline.grouping import Run, days
from audittrail.timeline.version_walk import LONGEST_WALK, states_before
from audittrail.web.action_formatters import Action, action_of
from audittrail.web.change_formatters import formatter_of
from audittrail.web.wording import actor_initials, actor_name, actor_role_and_desk, as_words, field_names, time_ago


@dataclass(frozen=True, slots=True)
class ChangeRow:
    field: str
    html: SafeString


@dataclass(slots=True)
class EventRow:
    """One event in words."""

    event: AuditEvent
    changes: list[ChangeRow] = field(default_factory=list)
    template = "audittrail/includes/row_event.html"

    @property
    def actor(self) -> str:
        return actor_name(self.event)

    @property
    def place(self) -> str:
        return actor_role_and_desk(self.event)

    @property
    def initials(self) -> str:
        return actor_initials(self.event)

    @property
    def ago(self) -> str:
        return time_ago(self.event.occurred_at)

    @property
    def status(self) -> str:
        return as_words(self.event.status or "")

    @property
    def action(self) -> Action:
        return action_of(self.event)

    @property
    def sentence(self) -> SafeString:
        return self.action.sentence(self.event)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of edits that opens into its events."""

    run: Run
    rows: list[EventRow]
    template = "audittrail/includes/row_run.html"

    @property
    def actor(self) -> str:
        return actor_name(self.run.newest)

    @property
    def initials(self) -> str:
        return actor_initials(self.run.newest)

    @property
    def fields(self) -> SafeString:
        return field_names(self.run.fields)


@dataclass(frozen=True, slots=True)
class GapRow:
    gap: Gap
    template = "audittrail/includes/row_gap.html"


@dataclass(frozen=True, slots=True)
class DayRows:
    date: date
    rows: list[EventRow | RunRow | GapRow]


def timeline_rows(article_id: str, events: list[AuditEvent], gaps: Iterable[Gap] = ()) -> list[DayRows]:
    """A page of events and gaps as rows under their days, with changed sentences where the texts before are known."""
    changes = _changes(article_id, events)
    return [DayRows(day.date, [_row(row, changes) for row in day.rows]) for day in days(events, list(gaps))]


def event_row(event: AuditEvent) -> EventRow:
    return EventRow(event, _change_rows(event, None))


def _row(row: AuditEvent | Run | Gap, changes: dict[int, list[ChangeRow]]) -> EventRow | RunRow | GapRow:
    if isinstance(row, Gap):
        return GapRow(row)
    if isinstance(row, Run):
        return RunRow(row, [EventRow(event, changes[event.sequence]) for event in row.events])
    return EventRow(row, changes[row.sequence])


def _changes(article_id: str, events: list[AuditEvent]) -> dict[int, list[ChangeRow]]:
    """Sequence → its changes; shortened at once, so that no more than one version of the texts is held."""
    by_sequence = {event.sequence: event for event in events}
    rows: dict[int, list[ChangeRow]] = {}
    if any(_has_texts(event) for event in events) and max(by_sequence) - min(by_sequence) < LONGEST_WALK:
        for sequence, state in states_before(article_id, min(by_sequence), max(by_sequence)):
            if sequence in by_sequence:
                rows[sequence] = _change_rows(by_sequence[sequence], state)
    return rows | {number: _change_rows(event, None) for number, event in by_sequence.items() if number not in rows}


def _has_texts(event: AuditEvent) -> bool:
    return any(change["kind"] == "text" for change in event.changes)


def _change_rows(event: AuditEvent, before: State | None) -> list[ChangeRow]:
    shown = (formatter_of(event, change, before) for change in action_of(event).shown(event))
    return [ChangeRow(each.field, each.inline()) for each in shown]
