from datetime import UTC, datetime

import pytest

from audittrail.contracts.validation import InvalidEvent, validate
from testkit.audittrail.events import change, enriched_event, raw_event, text_change


@pytest.mark.parametrize(
    "event", [raw_event(), enriched_event(), raw_event(payload={"sha256": bytes(32), "size": 70_000}, changes=[])]
)
def test_a_sound_event_passes(event):
    validate(event)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"event_id": "42"}, "event_id"),
        ({"article_id": ""}, "article_id"),
        ({"kind": ""}, "kind"),
        ({"sequence": 0}, "sequence"),
        ({"schema_version": 0}, "schema_version"),
        ({"operation": "published"}, "operation"),
        ({"operation": "create"}, "keyframe"),
        ({"occurred_at": datetime(2026, 11, 23)}, "occurred_at"),  # noqa: DTZ001 - that is the violation
        ({"occurred_at": datetime(1850, 1, 1, tzinfo=UTC)}, "occurred_at"),
        ({"recorded_at": datetime(9999, 1, 1, tzinfo=UTC)}, "recorded_at"),
        ({"actor": {"type": "robot", "id": None, "version": None, "snapshot": None}}, "actor.type"),
        ({"salt": bytes(15)}, "salt"),
        ({"state_digest": b""}, "state_digest"),
        ({"hash": bytes(33)}, "hash"),
        ({"previous_hash": bytes(32)}, "previous_hash"),
        ({"sequence": 1}, "previous_hash"),
        ({"payload": {"sha256": bytes(31), "size": 1}}, "payload.sha256"),
        ({"payload": {"sha256": bytes(32), "size": 0}}, "payload.size"),
        ({"changes": [change("", "scalar")]}, "changes[0].field"),
        ({"changes": [change("title", "number")]}, "changes[0].kind"),
        ({"changes": [change("title", "scalar", after_ids=["1"])]}, "changes[0].after_ids"),
        ({"changes": [change("tags", "relation", before="1")]}, "changes[0].before"),
        ({"changes": [text_change("body", (9, "word", ""), (4, "a", "b"))]}, "changes[0].edits[1].position"),
        ({"changes": [text_change("body", (4, "word", ""), (6, "rd", ""))]}, "changes[0].edits[1].position"),
        ({"changes": [text_change("body", (-1, "word", ""))]}, "changes[0].edits[0].position"),
        ({"changes": [text_change("body", (4, "same", "same"))]}, "changes[0].edits[0]"),
    ],
)
def test_a_violation_names_its_field(values, field):
    with pytest.raises(InvalidEvent) as caught:
        validate(raw_event(**values))
    assert caught.value.field == field
    assert caught.value.remedy
