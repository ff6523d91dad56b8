"""What a schema cannot say about an event: the semantic rules, checked before anything is published."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import UUID

from audittrail.events.event import ActorType, Change, ChangeKind, EditRecord, Event, Operation

OPERATIONS: frozenset[str] = frozenset(get_args(Operation))
ACTOR_TYPES: frozenset[str] = frozenset(get_args(ActorType))
CHANGE_KINDS: frozenset[str] = frozenset(get_args(ChangeKind))
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
NO_PREVIOUS = bytes(32)


class InvalidEvent(ValueError):
    """An event that violates its contract: which field (dotted path), what is wrong, and what would be right."""

    def __init__(self, field: str, problem: str, remedy: str):
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field, self.problem, self.remedy = field, problem, remedy


def validate(event: Event) -> None:
    """Check an event (raw or enriched, as the codec takes and gives it) against the semantic rules.

    Types and presence of fields are the schema's matter: of an event that ``Codec.encode`` refuses, this may raise
    anything. Raises InvalidEvent at the first violation.
    """
    _check_identity(event)
    _check_times(event)
    _check_lengths(event)
    _one_of(event["actor"]["type"], ACTOR_TYPES, "actor.type")
    for number, change in enumerate(event["changes"]):
        _check_change(change, f"changes[{number}]")
    _check_shape(event)


def _one_of(value: str, known: frozenset[str], field: str) -> None:
    if value not in known:
        raise InvalidEvent(field, f"{value!r} is not known", f"use one of {', '.join(sorted(known))}")


def _check_identity(event: Event) -> None:
    if not isinstance(event["event_id"], UUID):
        raise InvalidEvent("event_id", f"{event['event_id']!r} is not a UUID", "use uuid.UUID")
    names = (("article_id", event["article_id"], "newsroom.article:42"), ("kind", event["kind"], "newsroom.article"))
    for field, name, example in names:
        if not name:
            raise InvalidEvent(field, "is empty", f"name it, for example {example}")
    for field, number in (("sequence", event["sequence"]), ("schema_version", event["schema_version"])):
        if number < 1:
            raise InvalidEvent(field, f"is {number}", "count from 1")
    _one_of(event["operation"], OPERATIONS, "operation")


def _check_times(event: Event) -> None:
    for field, time in (("occurred_at", event["occurred_at"]), ("recorded_at", event["recorded_at"])):
        if time.tzinfo is None:
            raise InvalidEvent(field, "has no time zone", "use an aware datetime, in UTC")
        if not EARLIEST <= time < LATEST:
            raise InvalidEvent(
                field, f"{time.isoformat()} is out of range", f"use a time from {EARLIEST:%Y} to before {LATEST:%Y}"
            )


def _check_lengths(event: Event) -> None:
    _check_length(event["salt"], 16, "salt")
    _check_length(event["state_digest"], 32, "state_digest")
    _check_length(event["previous_hash"], 32, "previous_hash")
    _check_length(event["hash"], 32, "hash")
    payload = event["payload"]
    if payload is not None:
        _check_length(payload["sha256"], 32, "payload.sha256")
        if payload["size"] < 1:
            raise InvalidEvent("payload.size", f"is {payload['size']}", "use the stored object's size in bytes")


def _check_length(value: bytes, length: int, field: str) -> None:
    if len(value) != length:
        raise InvalidEvent(field, f"has {len(value)} bytes", f"use {length} bytes")


ChangeMember = Literal["before", "after", "before_ids", "after_ids", "edits"]

_MEMBERS_OF_OTHER_KINDS: dict[ChangeKind, tuple[ChangeMember, ...]] = {
    "scalar": ("before_ids", "after_ids", "edits"),
    "text": ("before_ids", "after_ids"),
    "relation": ("before", "after", "edits"),
}


def _check_change(change: Change, path: str) -> None:
    if not change["field"]:
        raise InvalidEvent(f"{path}.field", "is empty", "name the field")
    _one_of(change["kind"], CHANGE_KINDS, f"{path}.kind")
    for member in _MEMBERS_OF_OTHER_KINDS[change["kind"]]:
        if change[member] is not None:
            raise InvalidEvent(f"{path}.{member}", f"is set for a change of kind {change['kind']}", "leave it null")
    _check_edits(change["edits"] or (), f"{path}.edits")


def _check_edits(edits: Sequence[EditRecord], path: str) -> None:
    end = 0
    for number, edit in enumerate(edits):
        if edit["position"] < end:
            raise InvalidEvent(
                f"{path}[{number}].position",
                f"is {edit['position']}, before {end}",
                "order edits by position, without overlap",
            )
        if edit["removed"] == edit["inserted"]:
            raise InvalidEvent(f"{path}[{number}]", "changes nothing", "leave it out")
        end = edit["position"] + len(edit["removed"])


def _check_shape(event: Event) -> None:
    if (event["sequence"] == 1) != (event["previous_hash"] == NO_PREVIOUS):
        raise InvalidEvent(
            "previous_hash",
            f"does not fit sequence {event['sequence']}",
            "32 zero bytes at sequence 1, and nowhere else",
        )
    if event["operation"] == "create" and event["payload"] is None and event["keyframe"] is None:
        raise InvalidEvent("keyframe", "is null at creation", "give the whole article")
