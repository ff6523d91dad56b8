"""Rows of events: what goes in comes out, by both ways of reading, and a column or a field alone keeps every process
from starting.
"""

import subprocess
import sys
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
from audittrail.models import AuditEvent
from testkit.audittrail.events import PROFILE, change, enriched_event, text_change
from testkit.paths import ROOT

KEYFRAME = {"values": {"title": "Tram", "body": None}, "relations": {"tags": ["5", "2"]}}
PAYLOAD = {"sha256": bytes(range(32)), "size": 70_000}


def event(sequence: int, **values) -> EnrichedEvent:
    return enriched_event(event_id=uuid.uuid4(), sequence=sequence, **values)


def store(*events: EnrichedEvent) -> list[int]:
    with connections["pipeline"].cursor() as cursor:
        connection = cursor.connection
        connection.execute(database_rows.CREATE_INCOMING)
        with connection.transaction():
            return database_rows.store_events(connection, events)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"keyframe": KEYFRAME, "labels": {}, "changes": [change("tags", "relation", before_ids=[], after_ids=["5"])]},
        {"payload": PAYLOAD, "changes": [], "status": None, "words_added": 12_000},
        {"actor": {"type": "unknown", "id": None, "version": None, "snapshot": None}, "actor_profile": None},
        {"actor_profile": {**PROFILE, "byline": "", "desk": ""}},
        {"amendments": [{"field": "title", "reason": "was too long"}], "changes": [text_change("body", (0, "", "🚢"))]},
    ],
    ids=["edit", "keyframe", "payload", "unknown actor", "part of a profile", "amended"],
)
def test_an_event_comes_back_as_it_went(fresh_database, values):
    written = event(7, **values)
    assert store(written) == []
    assert list(database_rows.events()) == [written]
    assert database_rows.event_of(AuditEvent.objects.get()) == written


def test_a_snapshot_is_kept_in_the_profile_only(fresh_database):
    actor = {"type": "user", "id": "17", "version": None, "snapshot": PROFILE}
    store(event(7, actor=actor))
    (found,) = database_rows.events()
    assert (found["actor"]["snapshot"], found["actor_profile"]) == (None, PROFILE)


def test_events_come_by_article_and_sequence_and_by_condition(fresh_database):
    store(event(2), event(1, article_id="newsroom.article:7"), event(1))
    assert [(found["article_id"], found["sequence"]) for found in database_rows.events()] == [
        ("newsroom.article:42", 1),
        ("newsroom.article:42", 2),
        ("newsroom.article:7", 1),
    ]
    (only,) = database_rows.events("e.sequence = %s", [2])
    assert only["sequence"] == 2


def test_events_with_an_identity_that_another_has_are_named(fresh_database):
    first = event(1)
    assert store(first, event(2), event(3) | {"event_id": first["event_id"]}) == [2]


@given(st.permutations(range(1, 6)))
def test_reading_needs_no_order_of_columns_but_its_own(order):
    rows = [event(number) for number in order]
    columns: list[Sequence[Any]] = [list(column) for column in zip(*map(database_rows._row, rows), strict=True)]
    assert list(database_rows._events(database_rows._parsed(columns))) == rows


def started(*preparations: str) -> subprocess.CompletedProcess:
    """A process that imports the module, after preparations of its own."""
    program = "\n".join([*preparations, "import audittrail.events.database_rows"])
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


SETUP = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'auditsite.settings'; import django; django.setup()"


def test_a_field_of_the_event_without_a_column_is_refused():
    ended = started("from audittrail.events import event; event.ENRICHED_FIELDS += ('embargo',)", SETUP)
    assert "field 'embargo' is in the columns of an enriched event" in ended.stderr
    assert "but not in audittrail.models.AuditEvent: give the model what the event has" in ended.stderr


def test_a_column_that_is_no_field_of_the_event_is_refused():
    add = "from django.db import models; from audittrail.models import AuditEvent"
    ended = started(SETUP, add, "AuditEvent.add_to_class('embargo', models.TextField(default=''))")
    assert "field 'embargo' is in audittrail.models.AuditEvent, but not in the columns" in ended.stderr
