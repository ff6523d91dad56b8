"""The states of outbox rows: said in one place, and found by the indexes made for them."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from audittrail import outbox
from audittrail.models import OutboxEvent
from testkit.paths import ROOT

OWNERS = {
    "audittrail/outbox.py",
    "audittrail/models.py",
    "audittrail/capture/outbox_rows.py",
    "audittrail/capture/rights.py",
}
CONDITION = re.compile(r"published_at|set_aside(__|\s+IS\b|=None)|(filter|exclude)\([^)]*set_aside", re.IGNORECASE)


def test_conditions_on_the_state_of_a_row_are_written_by_the_owner_of_the_outbox_only():
    sources = (
        path.relative_to(ROOT).as_posix()
        for package in ("audittrail", "consumers")
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".sql") and "migrations" not in path.parts
    )
    elsewhere = [path for path in sources if path not in OWNERS and CONDITION.search((ROOT / path).read_text())]
    assert elsewhere == []


def _row(sequence: int, **state) -> OutboxEvent:
    now = datetime.now(UTC)
    return OutboxEvent.objects.using("owner").create(
        event_id=f"00000000-0000-7000-8000-{sequence:012}",
        article_id="a:1",
        kind="a",
        title="",
        sequence=sequence,
        operation="update",
        occurred_at=now,
        recorded_at=now,
        actor_type="user",
        salt=b"",
        state_digest=b"",
        previous_hash=b"",
        hash=b"",
        slot=1,
        keyframe=False,
        **state,
    )


@pytest.fixture
def rows(fresh_database):
    """One row in each state, by sequence: 1 pending, 2 set aside, 3 published long ago, 4 published just now."""
    now = datetime.now(UTC)
    _row(1)
    _row(2, set_aside="title: too long")
    _row(3, published_at=now - timedelta(days=8))
    _row(4, published_at=now)


def sequences(rows) -> list[int]:
    return sorted(rows.values_list("sequence", flat=True))


def test_each_row_is_in_one_state(rows):
    events = OutboxEvent.objects
    assert sequences(events.pending()) == [1]
    assert sequences(events.set_aside()) == [2]
    assert sequences(events.unpublished()) == [1, 2]
    assert sequences(events.published_after(datetime.now(UTC) - timedelta(days=1))) == [4]
    states = dict(events.annotate(state=outbox.STATE).values_list("sequence", "state"))
    assert states == {1: "pending", 2: "set_aside", 3: "published", 4: "published"}


def test_what_is_unpublished_or_fresh_is_in_flight(rows):
    recent = datetime.now(UTC) - timedelta(days=1)
    flags = OutboxEvent.objects.annotate(in_flight=outbox.is_in_flight(recent)).values_list("sequence", "in_flight")
    assert dict(flags) == {1: True, 2: True, 3: False, 4: True}


def test_only_what_is_set_aside_is_released(rows):
    assert OutboxEvent.objects.using("owner").release([{"field": "title", "value": "x", "reason": "y"}]) == 1
    assert sequences(OutboxEvent.objects.pending()) == [1, 2]
    assert OutboxEvent.objects.get(sequence=2).amendments[0]["field"] == "title"


def test_only_what_is_published_is_rearmed(rows):
    with connections["owner"].cursor() as cursor:
        cursor.execute(outbox.REARM, {"article_id": "a:1", "sequences": [1, 2, 3]})
        assert cursor.rowcount == 1 and sequences(OutboxEvent.objects.pending()) == [1, 3]
        cursor.execute(outbox.REARM_ALL)
        assert cursor.rowcount == 1 and sequences(OutboxEvent.objects.pending()) == [1, 3, 4]
    assert sequences(OutboxEvent.objects.set_aside()) == [2]


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        (outbox.PENDING_OF_LANE, {"lanes": 8, "lane": 1, "limit": 500}, "outbox_pending"),
        (outbox.COUNT_PENDING, {"limit": 1000}, "outbox_pending"),
        (str(OutboxEvent.objects.pending().query), {}, "outbox_pending"),
        (str(OutboxEvent.objects.set_aside().query), {}, "outbox_set_aside"),
    ],
)
def test_conditions_are_those_of_the_partial_indexes(fresh_database, statement, parameters, index):
    """Whatever the planner knows of an almost empty table: forbidden to scan it, it can use the index."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {statement}", parameters or None)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")
    assert index in plan
