"""Records to events: what is not one is rejected with its reason."""

from typing import Generic, NamedTuple

from audittrail.contracts.codec import AnyEvent, Codec, UndecodableEvent
from audittrail.contracts.validation import InvalidEvent, validate
from audittrail.events.event import Event
from consumers.kafka.schema_registry import Schemas
from consumers.records import Record, Rejection


class Decoded(NamedTuple, Generic[AnyEvent]):
    """A record, and the event that is in it."""

    record: Record
    event: AnyEvent


def decode(
    codec: Codec[AnyEvent], schemas: Schemas, records: list[Record]
) -> tuple[list[Decoded[AnyEvent]], list[Rejection]]:
    """The valid events among records, in order, and the rest. Raises NotReady when a schema's id cannot be looked
    up.
    """
    decoded: list[Decoded[AnyEvent]] = []
    rejections: list[Rejection] = []
    for record in records:
        found = decode_one(codec, schemas, record)
        if isinstance(found, Decoded):
            decoded.append(found)
        else:
            rejections.append(found)
    return decoded, rejections


def decode_one(codec: Codec[AnyEvent], schemas: Schemas, record: Record) -> Decoded[AnyEvent] | Rejection:
    """The valid event in a record, or its rejection. Raises NotReady when a schema's id cannot be looked up."""
    try:
        event = codec.decode(record.value or b"", schemas.by_id)
    except UndecodableEvent as error:
        return Rejection(record, error.reason, error.detail)
    try:
        validate(event)
    except InvalidEvent as error:
        return rejection(record, event, "invalid_event", str(error))
    return Decoded(record, event)


def rejection(record: Record, event: Event, reason: str, detail: str) -> Rejection:
    """The rejection of a record whose event is known."""
    return Rejection(record, reason, detail, event["article_id"], event["sequence"])
