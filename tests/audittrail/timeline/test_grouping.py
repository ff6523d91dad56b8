"""Runs of edits and days of a timeline."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from audittrail.timeline.grouping import PAUSE, Run, days
from testkit.audittrail.histories import START


def event(sequence: int, action: str = "edited", actor: str = "a", after: timedelta = timedelta(minutes=1)):
    time = START + sequence * after
    return SimpleNamespace(
        sequence=sequence, action=action, actor_type="user", actor_id=actor, occurred_at=time, changes=[]
    )


def rows_of(*events) -> list[int]:
    """The number of events in each row, newest first."""
    newest_first = sorted(events, key=lambda each: -each.sequence)
    return [len(row.events) if isinstance(row, Run) else 1 for day in days(newest_first) for row in day.rows]


def test_edits_by_one_person_within_minutes_are_one_row():
    assert rows_of(*map(event, range(1, 6))) == [5]


def test_two_edits_stay_two_rows():
    assert rows_of(event(1), event(2)) == [1, 1]


@pytest.mark.parametrize("action", ["published", "unpublished", "status_changed", "created", "deleted"])
def test_what_matters_never_collapses(action):
    assert rows_of(event(1), event(2), event(3), event(4, action), event(5), event(6), event(7)) == [3, 1, 3]


def test_another_person_ends_a_run():
    assert rows_of(event(1), event(2), event(3), event(4, actor="b"), event(5, actor="b"), event(6, actor="b")) == [
        3,
        3,
    ]


def test_a_longer_pause_ends_a_run():
    assert rows_of(*(event(number, after=PAUSE + timedelta(seconds=1)) for number in range(1, 4))) == [1, 1, 1]


def test_a_missing_event_ends_a_run():
    assert rows_of(event(1), event(2), event(3), event(5), event(6), event(7)) == [3, 3]


def test_a_new_local_day_has_its_own_divider():
    found = days([event(2, after=timedelta(hours=12)), event(1, after=timedelta(hours=12))])
    assert [day.date.day for day in found] == [24, 23]
