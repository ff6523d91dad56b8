"""Outbox rows to messages: the raw event of the contract, framed, with CloudEvents attributes as headers (binary
mode).
"""

from collections.abc import Sequence

from audittrail import contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import ObjectStoreError
from audittrail.capture import outbox_rows
from audittrail.capture.outbox_rows import OutboxRow, captured_event
from audittrail.conf import event_limit, event_source
from audittrail.contracts.amendments import Amendment, BadAmendment, amended
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import InvalidEvent, validate
from audittrail.events.event import Event
from consumers.errors import NotReady
from consumers.messages import tracing
from consumers.messages.authenticity import Keyring
from consumers.records import Message
from consumers.relay.keys import KeyStrategy, partition_of
from consumers.relay.store import Refusal

Headers = dict[str, bytes | None]

CLOUDEVENTS_VERSION = b"1.0"
CONTENT_TYPE = b"application/vnd.confluent.avro"
LARGEST_RAW_MESSAGE = 900_000
"""Bytes of key, headers and value, below the broker's default message.max.bytes of 1 MiB."""
LONGEST_REASON = 1000


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
    if (unread := outbox_rows.unreadable_part(event)) is not None:
        return unread
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)
    try:
        codec.encode(event)
        validate(event)
        _require_room(event, codec)
    except InvalidEvent as found:
        return found
    return None


def problem_of(row: OutboxRow, made: Sequence[Amendment]) -> str:
    """What keeps a row, with these amendments, from being published, in words; empty where nothing does."""
    try:
        return storable(str(violation(amended(captured_event(row), made)) or ""))
    # Whatever it is, it is this row's: nothing was asked of anything else.
    except Exception as problem:
        return described(problem)


def described(problem: Exception) -> str:
    """Why a row cannot be published, in words."""
    if isinstance(problem, InvalidEvent | BadAmendment):
        return storable(str(problem))
    return storable(f"event: cannot be read, {type(problem).__name__}: {problem}")


def storable(reason: str) -> str:
    """A reason that PostgreSQL takes, cut where it is long."""
    return reason[:LONGEST_REASON].replace("\0", "␀").encode(errors="replace").decode()


def _require_room(event: Event, codec: Codec[Event]) -> None:
    """Raise InvalidEvent where an event is too large even when its content goes to object storage."""
    bare = codec.encode(large_payloads.without_content(event))
    _require_size(event, Message("", 0, event["article_id"].encode(), bare, headers_of(event, None)))


def _require_size(event: Event, message: Message) -> None:
    """Raise InvalidEvent for a message that Kafka would not take."""
    if message.size <= LARGEST_RAW_MESSAGE:
        return
    parts = {name: len(str(event[name])) for name in ("article_id", "kind", "title", "status", "context", "actor")}
    raise InvalidEvent(
        max(parts, key=parts.__getitem__),
        f"makes the event {message.size} bytes long even without its content",
        f"shorten it: {LARGEST_RAW_MESSAGE} are the limit",
    )


class MessageWriter:
    """Turns the rows of one lane into signed messages for `topic`; `partitions` are the lane's."""

    def __init__(
        self, topic: str, codec: Codec[Event], keyring: Keyring, key_of: KeyStrategy, partitions: Sequence[int]
    ):
        self._topic, self._codec, self._keyring = topic, codec, keyring
        self._key_of, self._partitions = key_of, partitions

    def write(self, rows: list[OutboxRow]) -> tuple[list[int], list[Message], list[Refusal]]:
        """Ids and messages of the valid rows, in order, and the others with what is wrong. Raises NotReady."""
        ids: list[int] = []
        messages: list[Message] = []
        refused: list[Refusal] = []
        for row in rows:
            try:
                messages.append(self._message(row))
                ids.append(row["id"])
            except NotReady:
                raise
            # Whatever a row holds, it must not block those behind it.
            except Exception as problem:
                reason = problem_of(row, ()) or described(problem)
                refused.append(Refusal(row["id"], row["article_id"], reason))
        return ids, messages, refused

    def _message(self, row: OutboxRow) -> Message:
        event = outbox_rows.event_of(row)
        validate(event)
        value = self._value(event)
        key = self._key_of(event).encode()
        partition = partition_of(key, self._partitions)
        message = Message(self._topic, partition, key, value, headers_of(event, self._traceparent(row, partition)))
        _require_size(event, message)
        self._keyring.sign(message)
        return message

    def _traceparent(self, row: OutboxRow, partition: int) -> str | None:
        attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._topic,
            "messaging.destination.partition.id": str(partition),
        }
        return tracing.published(outbox_rows.traceparent(row), row["recorded_at"], attributes)

    def _value(self, event: Event) -> bytes:
        value = self._codec.encode(event)
        if len(value) <= event_limit():
            return value
        _require_room(event, self._codec)
        try:
            return large_payloads.shrink(event, self._codec.encode)
        except ObjectStoreError as error:
            raise NotReady(f"object storage is away, a large event waits: {error.reason}") from error
