"""Rows of the outbox, as capture writes them in SQL, to events of the contract.

A row has what its event has, before edit scripts are made: whole texts in arrays, one entry for each field of
`text_fields`; entries of `changes` without null members. Importing this module checks that OutboxRow has exactly the
columns of the model.

Whatever a row holds, it can be read, and what is wrong with it concerns no other row: JSON is parsed row by row, and
times are within Python's range. A part that is not what capture writes is, in the event, the InvalidEvent that says
so, which no contract takes; where it can be amended the row can be mended.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NotRequired, Protocol, TypedDict, TypeVar, cast
from uuid import UUID

import orjson
from django.db.models import DateTimeField, JSONField

from audittrail import contracts
from audittrail.contracts.amendments import amended
from audittrail.contracts.validation import InvalidEvent
from audittrail.events import edit_script
from audittrail.events.event import (
    CONTEXT_FIELDS,
    PROFILE_FIELDS,
    ActorProfile,
    ActorType,
    Change,
    ChangeKind,
    Event,
    EventActor,
    EventContext,
    Keyframe,
    Labels,
    Operation,
    change_record,
)
from audittrail.events.field_check import require_same_fields
from audittrail.models import OutboxEvent, readable

Json = str
"""JSON as PostgreSQL writes it."""

Texts = dict[str, tuple[str | None, str | None]]
"""Field → text before and after."""


class CapturedChange(TypedDict):
    """A changed field as capture notes it: the values of scalars, the identities of relations; texts are apart, but for
    one that went with its row, which has `before` only.
    """

    field: str
    kind: ChangeKind
    before: NotRequired[str | None]
    after: NotRequired[str | None]
    before_ids: NotRequired[list[str] | None]
    after_ids: NotRequired[list[str] | None]


class OutboxRow(TypedDict):
    """A row of audittrail_outboxevent: column → value."""

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
    actor_snapshot: Json | None
    context: Json
    changes: Json
    labels: Json
    keyframe: bool
    scalars: Json | None
    relations: Json | None
    text_fields: list[str]
    texts_before: list[str | None]
    texts_after: list[str | None]
    salt: bytes
    state_digest: bytes
    previous_hash: bytes
    hash: bytes
    slot: int
    amendments: Json
    published_at: datetime | None
    set_aside: str | None


require_same_fields(
    OutboxRow.__annotations__,
    "audittrail.capture.outbox_rows.OutboxRow",
    [field.attname for field in OutboxEvent._meta.concrete_fields],
    "audittrail.models.OutboxEvent",
    remedy="change both, and what capture/sql/fold_*.sql insert",
)


_COLUMNS = tuple(OutboxRow.__annotations__)


def _readable(name: str) -> str:
    field = OutboxEvent._meta.get_field(name)
    if isinstance(field, JSONField):
        return f"{name}::text"
    return readable(name) if isinstance(field, DateTimeField) else name


_READ = f"""
SELECT {", ".join(map(_readable, _COLUMNS))} FROM audittrail_outboxevent WHERE id = ANY(%s) ORDER BY id"""  # noqa: S608  columns


class Cursor(Protocol):
    """As of psycopg or Django, giving rows as tuples."""

    def execute(self, statement: str, parameters: Any, /) -> object: ...

    def fetchall(self) -> Sequence[Sequence[Any]]: ...


def read(cursor: Cursor, ids: Iterable[int]) -> list[OutboxRow]:
    """The rows with these ids, in the order of the ids, whatever they hold. Raises what the cursor raises."""
    cursor.execute(_READ, [list(ids)])
    return [cast(OutboxRow, dict(zip(_COLUMNS, values, strict=True))) for values in cursor.fetchall()]


def event_of(row: OutboxRow) -> Event:
    """The raw event in a row, as amended when it was released.

    Raises InvalidEvent for a part that cannot be read, and BadAmendment or anything else for amendments that nobody
    was let make.
    """
    event = amended(captured_event(row), orjson.loads(row["amendments"]))
    if (unread := unreadable_part(event)) is not None:
        raise unread
    return event


def captured_event(row: OutboxRow) -> Event:
    """The raw event in a row, as it was captured; in place of a part that cannot be read, the InvalidEvent says why."""
    is_keyframe = row["keyframe"]
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
        "context": _part("context", _context, row),
        "changes": _part("changes", _changes, row),
        "labels": _part("labels", _labels, row),
        "keyframe": _part("keyframe", _keyframe, row) if is_keyframe else None,
        "salt": row["salt"],
        "state_digest": row["state_digest"],
        "previous_hash": row["previous_hash"],
        "hash": row["hash"],
        "payload": None,
        "schema_version": contracts.latest(contracts.RAW),
        "amendments": [],
    }


def unreadable_part(event: Event) -> InvalidEvent | None:
    """Why a part of a captured event cannot be read, None where all can."""
    parts = (event["context"], event["changes"], event["labels"], event["keyframe"])
    found = (part for part in (*parts, _snapshot_in(event["actor"])) if isinstance(part, InvalidEvent))
    return next(found, None)


def traceparent(row: OutboxRow) -> str | None:
    """The trace of the request that the event came from, None where there is none."""
    if '"traceparent"' not in row["context"]:
        return None
    return _text(orjson.loads(row["context"]).get("traceparent"))


_Part = TypeVar("_Part")


def _part(field: str, read_part: Callable[[OutboxRow], _Part], row: OutboxRow) -> _Part:
    try:
        return read_part(row)
    # Whatever it is: it came from this part of this row.
    except Exception as error:
        found = InvalidEvent(field, f"cannot be read ({type(error).__name__}: {error})", "amend it as a whole")
        return cast(_Part, found)


def _snapshot_in(actor: object) -> object:
    return actor.get("snapshot") if isinstance(actor, dict) else None


def _actor(row: OutboxRow) -> EventActor:
    return {
        "type": row["actor_type"],
        "id": row["actor_id"],
        "version": row["actor_version"],
        "snapshot": _part("actor.snapshot", _snapshot, row),
    }


def _snapshot(row: OutboxRow) -> ActorProfile | None:
    sent = orjson.loads(row["actor_snapshot"] or "null")
    return cast(ActorProfile, {name: _text(sent.get(name)) or "" for name in PROFILE_FIELDS}) if sent else None


def _context(row: OutboxRow) -> EventContext:
    context = orjson.loads(row["context"])
    return cast(EventContext, {name: _text(context.get(name)) for name in CONTEXT_FIELDS})


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{type(value).__name__} instead of a text")


def _labels(row: OutboxRow) -> Labels:
    labels: dict[str, dict[str, str | None]] = orjson.loads(row["labels"])
    return {field: {key: _text(label) or "" for key, label in names.items()} for field, names in labels.items()}


def _texts(row: OutboxRow) -> Texts:
    both = zip(row["text_fields"], row["texts_before"], row["texts_after"], strict=True)
    return {field: (_text(before), _text(after)) for field, before, after in both}


def _changes(row: OutboxRow) -> list[Change]:
    entries: list[CapturedChange] = orjson.loads(row["changes"])
    if not isinstance(entries, list):
        raise TypeError(f"{type(entries).__name__} instead of a list")
    texts = _texts(row)
    return [_change(entry, texts, row["keyframe"]) for entry in entries]


def _change(entry: CapturedChange, texts: Texts, is_keyframe: bool) -> Change:
    change = change_record(**entry)
    if change["kind"] == "relation":
        change["before_ids"], change["after_ids"] = change["before_ids"] or [], change["after_ids"] or []
    if change["kind"] == "text" and change["field"] in texts:
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


def _keyframe(row: OutboxRow) -> Keyframe:
    if row["scalars"] is None or row["relations"] is None:
        raise ValueError("a keyframe without the article's state")
    scalars, texts = orjson.loads(row["scalars"]), _texts(row)
    return {
        "values": {**scalars, **{field: after for field, (_, after) in texts.items()}},
        "relations": orjson.loads(row["relations"]),
    }
