"""The event: its fields and their types, defined once.

Everything that sends, stores, searches or shows events derives its fields from here, or is checked against them when it
is imported: the contracts (audittrail.contracts), the rows of outbox and database, the columns of the archive, the
search document, the fingerprints and the serializers. An event is a plain dict at run time, as the Avro codec takes and
gives it: identities are uuid.UUID, times aware datetimes in UTC to the microsecond, hashes bytes.
"""

from datetime import datetime
from typing import Literal, TypedDict
from uuid import UUID

ActorType = Literal["user", "service", "system", "unknown"]
Operation = Literal["create", "update", "delete"]
ChangeKind = Literal["scalar", "text", "relation"]
ActionName = Literal["created", "edited", "status_changed", "published", "unpublished", "deleted", "saved"]


class ActorProfile(TypedDict):
    """Who an actor was at the time; unknown parts are empty."""

    name: str
    byline: str
    role: str
    desk: str


class EventActor(TypedDict):
    """Who made the change. `version`: of the actor's profile, from 1; `snapshot`: sent along by an outside CMS."""

    type: ActorType
    id: str | None
    version: int | None
    snapshot: ActorProfile | None


class EventContext(TypedDict):
    """The request or task a change came from."""

    request_id: str | None
    correlation_id: str | None
    ip: str | None
    user_agent: str | None
    channel: str | None


class EditRecord(TypedDict):
    """One edit of a text, as audittrail.events.edit_script.Edit.

    `position`: code points from the start of the text before.
    """

    position: int
    removed: str
    inserted: str


class Change(TypedDict):
    """What happened to one field.

    Scalars have `before` and `after` as canonical text, relations `before_ids` and `after_ids` in order, texts `edits`;
    a text with one side unknown or null has `before` and `after` instead. What a kind does not have is null.
    """

    field: str
    kind: ChangeKind
    before: str | None
    after: str | None
    before_ids: list[str] | None
    after_ids: list[str] | None
    edits: list[EditRecord] | None


def change_record(
    field: str,
    kind: ChangeKind,
    *,
    before: str | None = None,
    after: str | None = None,
    before_ids: list[str] | None = None,
    after_ids: list[str] | None = None,
    edits: list[EditRecord] | None = None,
) -> Change:
    """A change with the members its kind has; the others are null."""
    return {
        "field": field,
        "kind": kind,
        "before": before,
        "after": after,
        "before_ids": before_ids,
        "after_ids": after_ids,
        "edits": edits,
    }


class Keyframe(TypedDict):
    """The whole tracked article after an event: scalars and texts by field, identities in order by relation."""

    values: dict[str, str | None]
    relations: dict[str, list[str]]


class PayloadReference(TypedDict):
    """The stored content of an event that is too large for a message: SHA-256 (32 bytes) and size in bytes."""

    sha256: bytes
    size: int


class AmendmentMark(TypedDict):
    """A value that is not as it was captured: its path in the event, and what was wrong with it."""

    field: str
    reason: str


Labels = dict[str, dict[str, str]]
"""Field → identity → name, as the names were at the time."""


class Event(TypedDict):
    """An event as captured, and as the contract content-audit-trail describes it."""

    event_id: UUID
    article_id: str
    kind: str
    sequence: int
    operation: Operation
    title: str
    status: str | None
    occurred_at: datetime
    recorded_at: datetime
    actor: EventActor
    context: EventContext
    changes: list[Change]
    labels: Labels
    keyframe: Keyframe | None
    salt: bytes
    state_digest: bytes
    previous_hash: bytes
    hash: bytes
    payload: PayloadReference | None
    schema_version: int
    amendments: list[AmendmentMark]


class EnrichedEvent(Event):
    """An event with what it amounts to and who its actor was: the contract content-audit-trail.enriched."""

    action: str
    actor_profile: ActorProfile | None
    words_added: int
    words_removed: int


EventKey = tuple[str, int]
"""Article and sequence: what names an event in every store."""

CAPTURED_FIELDS: tuple[str, ...] = tuple(Event.__annotations__)
"""Names of an event's fields, in the order of the contract."""

ENRICHED_FIELDS: tuple[str, ...] = tuple(EnrichedEvent.__annotations__)
"""The same of an enriched event: those of the captured one first."""

PROFILE_FIELDS: tuple[str, ...] = tuple(ActorProfile.__annotations__)
CONTEXT_FIELDS: tuple[str, ...] = tuple(EventContext.__annotations__)
