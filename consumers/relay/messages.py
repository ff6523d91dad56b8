"""Outbox rows to messages: the raw event of the contract, framed, with CloudEvents attributes as headers (binary
mode).
"""

from collections.abc import Sequence

from audittrail import contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import ObjectStoreError
from audittrail.capture import outbox_rows
from audittrail.capture.outbox_rows import OutboxRow
from audittrail.conf import event_source
from audittrail.contracts import amendments
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import InvalidEvent, validate
from audittrail.events.event import Event
from consumers.errors import NotReady
from consumers.messages import tracing
from consumers.records import Message
from consumers.relay.keys import KeyStrategy, partition_of
from consumers.relay.store import Refusal

Headers = dict[str, bytes | None]

CLOUDEVENTS_VERSION = b"1.0"
CONTENT_TYPE = b"application/vnd.confluent.avro"
LARGEST_RAW_VALUE = 900_000
"""Bytes of a raw event's message, below the broker's default message.max.bytes of 1 MiB."""


def headers_of(event: Event, traceparent: str | None) -> Headers:
    """CloudEvents attributes of an event; `traceparent` (W3C) links it to the request it came from."""
    attributes: Headers = {
        "ce_specversion": CLOUDEVENTS_VERSION,
        "ce_id": str(event["event_id"]).encode(),
        "ce_type": f"audittrail.{event['operation']}".encode(),
        "ce_source": event_source().encode(),
        "ce_subject": event["article_id"].encode(),
        "ce_time": event["occurred_at"].isoformat().encode(),
        "content-type": CONTENT_TYPE,
    }
    if traceparent:
        attributes[tracing.HEADER] = traceparent.encode()
    return attributes


def violation(event: Event) -> InvalidEvent | None:
    """What keeps an event from being published under the newest contract, as far as is known without any service."""
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)
    try:
        codec.encode(event)
        validate(event)
        bare = codec.encode(large_payloads.without_content(event))
        return _too_large(bare) if len(bare) > LARGEST_RAW_VALUE else None
    except InvalidEvent as found:
        return found


def describe_problem(problem: Exception) -> str:
    """Why a row cannot be published, in words."""
    return (
        str(problem)
        if isinstance(problem, InvalidEvent | amendments.BadAmendment)
        else f"event: cannot be read, {type(problem).__name__}: {problem}"
    )


def _too_large(value: bytes) -> InvalidEvent:
    return InvalidEvent(
        "title",
        f"makes the event {len(value)} bytes long even without its content",
        f"shorten it: {LARGEST_RAW_VALUE} are the limit",
    )


class MessageWriter:
    """Turns the rows of one lane into messages for `topic`; `partitions` are the lane's."""

    def __init__(self, topic: str, codec: Codec[Event], key_of: KeyStrategy, partitions: Sequence[int]):
        self._topic, self._codec, self._key_of, self._partitions = topic, codec, key_of, partitions

    def write(self, rows: list[OutboxRow]) -> tuple[list[int], list[Message], list[Refusal]]:
        """Ids and messages of the valid rows, in order, and the others with what is wrong. Raises NotReady."""
        ids: list[int] = []
        messages: list[Message] = []
        refused: list[Refusal] = []
        for row in rows:
            try:
                messages.append(self._message(row))
                ids.append(row["id"])
            # A row that cannot be read must not block those behind it.
            except (ValueError, TypeError, LookupError, AttributeError) as problem:
                refused.append(Refusal(row["id"], row["article_id"], describe_problem(problem)))
        return ids, messages, refused

    def _message(self, row: OutboxRow) -> Message:
        event = outbox_rows.event_of(row)
        validate(event)
        value = self._value(event)
        key = self._key_of(event).encode()
        partition = partition_of(key, self._partitions)
        return Message(self._topic, partition, key, value, headers_of(event, self._traceparent(row, partition)))

    def _traceparent(self, row: OutboxRow, partition: int) -> str | None:
        attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._topic,
            "messaging.destination.partition.id": str(partition),
        }
        return tracing.published(row["context"].get("traceparent"), row["recorded_at"], attributes)

    def _value(self, event: Event) -> bytes:
        try:
            value = large_payloads.shrink(event, self._codec.encode)
        except ObjectStoreError as error:
            raise NotReady(f"object storage is away, a large event waits: {error.reason}") from error
        if len(value) > LARGEST_RAW_VALUE:
            raise _too_large(value)
        return value
