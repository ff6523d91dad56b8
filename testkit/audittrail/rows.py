"""Rows of the outbox, as they are read."""

from typing import Any, cast

import orjson

from audittrail.capture.outbox_rows import OutboxRow
from testkit.audittrail.events import raw_event

JSON = ("actor_snapshot", "context", "changes", "labels", "scalars", "relations", "amendments")


def outbox_row(**values: Any) -> OutboxRow:
    """The row of an edit of one word, with these values instead: of columns of JSON, what the JSON stands for."""
    columns = {name: value for name, value in raw_event().items() if name in OutboxRow.__annotations__}
    captured = {
        "id": 1,
        "slot": 5,
        "actor_type": "user",
        "actor_id": "17",
        "actor_version": 3,
        "actor_snapshot": None,
        "context": {"request_id": "r-1", "traceparent": "00-1-2-01"},
        "changes": [{"field": "body", "kind": "text"}],
        "labels": {"section": {"3": None}},
        "keyframe": False,
        "scalars": None,
        "relations": None,
        "text_fields": ["body"],
        "texts_before": ["The alleged cracks."],
        "texts_after": ["The cracks."],
        "amendments": [],
        "published_at": None,
        "set_aside": None,
    }
    written = {**columns, **captured, **values}
    json = {name: orjson.dumps(written[name]).decode() for name in JSON if written[name] is not None}
    return cast(OutboxRow, {**written, **json})
