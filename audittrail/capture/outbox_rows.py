"""Rows of the outbox, as capture writes them in SQL, to events of the contract.

A row has what its event has, before edit scripts are made: whole texts in arrays, one entry for each field of
`text_fields`; entries of `changes` without null members. Importing this module checks that OutboxRow has exactly the
columns of the model.
"""

from datetime import datetime
from typing import NotRequired, TypedDict, cast
from uuid import UUID

from audittrail import contracts
from audittrail.contracts.amendments import Amendment, amended
from audittrail.events import edit_script
from audittrail.events.event import (
    ActorProfile,
    ActorType,
    Change,
    ChangeKind,
    Event,
    EventActor,
    Keyframe,
    Operation,
    change_record,
)
from audittrail.events.field_check import require_same_fields
from audittrail.models import OutboxEvent

Texts = dict[str, tuple[str | None, str | None]]
"""Field → text before and after."""


class CapturedChange(TypedDict):
    """A changed field as capture notes it: the values of scalars, the identities of relations; texts are apart."""

    field: str
    kind: ChangeKind
    before: NotRequired[str | None]
    after: NotRequired[str | None]
    before_ids: NotRequired[list[str] | None]
    after_ids: NotRequired[list[str] | None]


class OutboxRow(TypedDict):
    """A row of audittrail_outboxevent: column → value, JSON parsed."""

    id: int
    event_id: UUID
    article_id: str
    kind: str
    sequence: int
    operation: Operation
    title: str
    status: str | None
    occurred_at: datetime
    recorded_at: datetime
    actor_type: ActorType
    actor_id: str | None
    actor_version: int | None
    actor_snapshot: dict[str, str | None] | None
    context: dict[str, str | None]
    changes: list[CapturedChange]
    labels: dict[str, dict[str, str | None]]
    keyframe: bool
    scalars: dict[str, str | None] | None
    relations: dict[str, list[str]] | None
    text_fields: list[str]
    texts_before: list[str | None]
    texts_after: list[str | None]
    salt: bytes
    state_digest: bytes
    previous_hash: bytes
    hash: bytes
    slot: int
    amendments: list[Amendment]
    published_at: datetime | None
    set_aside: str | None


require_same_fields(
    OutboxRow.__annotations__,
    "audittrail.capture.outbox_rows.OutboxRow",
    [field.attname for field in OutboxEvent._meta.concrete_fields],
    "audittrail.models.OutboxEvent",
    remedy="change both, and what capture/sql/capture.sql inserts",
)


def row_of(event: OutboxEvent) -> OutboxRow:
    """The row that a model was read from."""
    return cast(OutboxRow, {name: getattr(event, name) for name in OutboxRow.__annotations__})


def event_of(row: OutboxRow) -> Event:
    """The raw event in a row, as amended when it was released.

    Raises BadAmendment, and ValueError, TypeError, LookupError or AttributeError for a row that capture did not write.
    """
    return amended(captured_event(row), row["amendments"])


def captured_event(row: OutboxRow) -> Event:
    """The raw event in a row, as it was captured. Raises as `event_of`, but for BadAmendment."""
    texts: Texts = {
        field: (before, after)
        for field, before, after in zip(row["text_fields"], row["texts_before"], row["texts_after"], strict=True)
    }
    context = row["context"]
    return {
        "event_id": row["event_id"],
        "article_id": row["article_id"],
        "kind": row["kind"],
        "sequence": row["sequence"],
        "operation": row["operation"],
        "title": row["title"],
        "status": row["status"],
        "occurred_at": row["occurred_at"],
        "recorded_at": row["recorded_at"],
        "actor": _actor(row),
        "context": {
            "request_id": context.get("request_id"),
            "correlation_id": context.get("correlation_id"),
            "ip": context.get("ip"),
            "user_agent": context.get("user_agent"),
            "channel": context.get("channel"),
        },
        "changes": [_change(entry, texts, row["keyframe"]) for entry in row["changes"]],
        "labels": {field: {key: label or "" for key, label in names.items()} for field, names in row["labels"].items()},
        "keyframe": _keyframe(row, texts) if row["keyframe"] else None,
        "salt": row["salt"],
        "state_digest": row["state_digest"],
        "previous_hash": row["previous_hash"],
        "hash": row["hash"],
        "payload": None,
        "schema_version": contracts.latest(contracts.RAW),
        "amendments": [],
    }


def _actor(row: OutboxRow) -> EventActor:
    sent = row["actor_snapshot"]
    return {
        "type": row["actor_type"],
        "id": row["actor_id"],
        "version": row["actor_version"],
        "snapshot": _profile(sent) if sent else None,
    }


def _profile(sent: dict[str, str | None]) -> ActorProfile:
    return {
        "name": sent.get("name") or "",
        "byline": sent.get("byline") or "",
        "role": sent.get("role") or "",
        "desk": sent.get("desk") or "",
    }


def _change(entry: CapturedChange, texts: Texts, is_keyframe: bool) -> Change:
    change = change_record(**entry)
    if change["kind"] == "relation":
        change["before_ids"], change["after_ids"] = change["before_ids"] or [], change["after_ids"] or []
    if change["kind"] == "text":
        _set_text(change, *texts[change["field"]], is_keyframe=is_keyframe)
    return change


def _set_text(change: Change, before: str | None, after: str | None, *, is_keyframe: bool) -> None:
    """An edit script between two texts; whole texts where one side is null; nothing where the keyframe has what is
    known.
    """
    if before is not None and after is not None:
        change["edits"] = edit_script.as_records(edit_script.diff(before, after))
    elif not is_keyframe:
        change["before"], change["after"] = before, after


def _keyframe(row: OutboxRow, texts: Texts) -> Keyframe:
    if row["scalars"] is None or row["relations"] is None:
        raise ValueError("a keyframe without the article's state")
    return {
        "values": {**row["scalars"], **{field: after for field, (_, after) in texts.items()}},
        "relations": row["relations"],
    }
