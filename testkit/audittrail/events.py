"""Events to test with, as the codec takes and gives them."""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from audittrail.events.event import ActorProfile, Change, EnrichedEvent, Event

PROFILE: ActorProfile = {"name": "Kim Lee", "byline": "By Kim Lee", "role": "reporter", "desk": "politics"}


def change(field: str, kind: str, **values: Any) -> Change:
    """A change of any kind; its members may be wrong on purpose."""
    members = {"before": None, "after": None, "before_ids": None, "after_ids": None, "edits": None}
    return cast(Change, {"field": field, "kind": kind, **members, **values})


def text_change(field: str, *edits: tuple[object, str, str]) -> Change:
    names = ("position", "removed", "inserted")
    return change(field, "text", edits=[dict(zip(names, edit, strict=True)) for edit in edits])


def raw_event(**values: Any) -> Event:
    """An edit of one word, sequence 7, with everything that a raw event has."""
    event: Event = {
        "event_id": UUID("01998f2e-7b5c-7d3e-9c4a-5b6c7d8e9f00"),
        "article_id": "newsroom.article:42",
        "kind": "newsroom.article",
        "sequence": 7,
        "operation": "update",
        "title": "Council votes on tram",
        "status": "draft",
        "occurred_at": datetime(2026, 11, 23, 7, 42, 16, 123456, tzinfo=UTC),
        "recorded_at": datetime(2026, 11, 23, 7, 42, 16, 123999, tzinfo=UTC),
        "actor": {"type": "user", "id": "17", "version": 3, "snapshot": None},
        "context": {
            "request_id": "r-1",
            "correlation_id": None,
            "ip": "192.0.2.7",
            "user_agent": "Firefox",
            "channel": "admin",
        },
        "changes": [text_change("body", (8, "alleged ", ""))],
        "labels": {"section": {"3": "Politics"}},
        "keyframe": None,
        "salt": bytes(range(16)),
        "state_digest": bytes([1]) * 32,
        "previous_hash": bytes([2]) * 32,
        "hash": bytes([3]) * 32,
        "payload": None,
        "schema_version": 2,
        "amendments": [],
    }
    return cast(Event, {**event, **values})


def enriched_event(**values: Any) -> EnrichedEvent:
    """The same, as the enricher passes it on."""
    event: EnrichedEvent = {
        **raw_event(),
        "action": "edited",
        "actor_profile": PROFILE,
        "words_added": 0,
        "words_removed": 1,
    }
    return cast(EnrichedEvent, {**event, **values})
