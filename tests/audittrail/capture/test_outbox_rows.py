"""Rows of the outbox as events, and the three places that name their columns: model, type and capture's SQL."""

import re
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from audittrail.capture import outbox_rows
from audittrail.capture.outbox_rows import captured_event, event_of
from audittrail.contracts.validation import InvalidEvent, validate
from audittrail.events.event import CAPTURED_FIELDS
from audittrail.models import OutboxEvent
from testkit.audittrail.rows import outbox_row
from testkit.paths import ROOT

SQL = Path(outbox_rows.__file__).parent / "sql"
# What the database fills in, or later states set.
DEFAULTED = {"id", "amendments", "published_at", "set_aside"}


def test_a_row_is_an_event_with_every_field_of_the_contract():
    event = captured_event(outbox_row())
    validate(event)
    assert tuple(sorted(event)) == tuple(sorted(CAPTURED_FIELDS))
    assert event["event_id"] == UUID("01998f2e-7b5c-7d3e-9c4a-5b6c7d8e9f00")
    assert event["context"] == dict.fromkeys(event["context"]) | {"request_id": "r-1"}
    assert event["labels"] == {"section": {"3": ""}}


def test_texts_are_edit_scripts():
    (change,) = captured_event(outbox_row())["changes"]
    assert change["edits"] == [{"position": 4, "removed": "alleged ", "inserted": ""}]
    assert (change["before"], change["after"]) == (None, None)


@pytest.mark.parametrize(("before", "after"), [(None, "Now known"), ("Gone", None)])
def test_a_text_with_one_side_null_is_whole(before, after):
    (change,) = captured_event(outbox_row(texts_before=[before], texts_after=[after]))["changes"]
    assert (change["before"], change["after"], change["edits"]) == (before, after, None)


def test_a_keyframe_has_scalars_texts_and_relations():
    event = captured_event(outbox_row(keyframe=True, scalars={"title": "Tram"}, relations={"tags": ["5"]}))
    assert event["keyframe"] == {"values": {"title": "Tram", "body": "The cracks."}, "relations": {"tags": ["5"]}}


def test_a_keyframe_without_state_is_no_event():
    with pytest.raises(InvalidEvent, match=r"^keyframe: cannot be read .*without the article's state"):
        event_of(outbox_row(keyframe=True))


def test_relations_are_lists_and_a_snapshot_is_whole():
    changes = [{"field": "tags", "kind": "relation", "before_ids": None, "after_ids": ["5"]}]
    event = captured_event(outbox_row(changes=changes, actor_snapshot={"name": "Kim", "byline": None}))
    assert (event["changes"][0]["before_ids"], event["changes"][0]["after_ids"]) == ([], ["5"])
    assert event["actor"]["snapshot"] == {"name": "Kim", "byline": "", "role": "", "desk": ""}


def test_amendments_of_a_release_are_made_and_marked():
    event = event_of(outbox_row(amendments=[{"field": "title", "value": "Short", "reason": "too long"}]))
    assert (event["title"], event["amendments"]) == ("Short", [{"field": "title", "reason": "too long"}])


@pytest.mark.parametrize("fold", ["fold_ordinary", "fold_short", "fold_general"])
def test_capture_inserts_every_column_that_the_database_does_not_fill_in(fold):
    (columns,) = re.findall(r"INSERT INTO audittrail_outboxevent \(([^)]+)\)", (SQL / f"{fold}.sql").read_text())
    inserted = [name.strip() for name in columns.split(",")]
    assert len(inserted) == len(set(inserted))
    assert set(inserted) == {field.column for field in OutboxEvent._meta.concrete_fields} - DEFAULTED


def test_a_column_without_a_place_in_the_row_is_refused():
    program = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'auditsite.settings'; import django; django.setup()\n"
        "from django.db import models; from audittrail.models import OutboxEvent\n"
        "OutboxEvent.add_to_class('embargo', models.TextField(default=''))\n"
        "import audittrail.capture.outbox_rows"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "field 'embargo' is in audittrail.models.OutboxEvent, but not in" in ended.stderr
