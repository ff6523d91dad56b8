"""Outbox rows to messages: the raw event of the contract, framed, with CloudEvents attributes as headers (binary
mode).
"""

from collections.abc import Sequence

from audittrail import contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import ObjectStoreError
from audittrail.conf import event_source
from audittrail.contracts import amendments
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import InvalidEvent, validate
from audittrail.events import edit_script
from consumers.errors import NotReady
from consumers.messages import tracing
from consumers.records import Message
from consumers.relay.keys import KeyStrategy, partition_of
from consumers.relay.store import Refusal

CLOUDEVENTS_VERSION = b"1.0"
CONTENT_TYPE = b"application/vnd.confluent.avro"
LARGEST_MESSAGE = 900_000
"""Bytes of a message's value, below the broker's default message.max.bytes of 1 MiB."""

_SAME = [
    "event_id",
    "article_id",
    "kind",
    "sequence",
    "operation",
    "title",
    "status",
    "occurred_at",
    "recorded_at",
    "salt",
    "state_digest",
    "previous_hash",
    "hash",
]
_CONTEXT = ("request_id", "correlation_id", "ip", "user_agent", "channel")
_PROFILE = ("name", "byline", "role", "desk")


def event_of(row: dict) -> dict:
    """The raw event in an outbox row (column → value), as amended when it was released. Raises
    amendments.BadAmendment.
    """
    return amendments.amended(captured(row), row["amendments"])


def captured(row: dict) -> dict:
    """The raw event in an outbox row, as it was captured."""
    texts = {
        field: (before, after)
        for field, before, after in zip(row["text_fields"], row["texts_before"], row["texts_after"], strict=True)
    }
    return {
        **{name: row[name] for name in _SAME},
        "actor": _actor(row),
        "context": {name: row["context"].get(name) for name in _CONTEXT},
        "changes": [_change(entry, texts, row["keyframe"]) for entry in row["changes"]],
        "labels": {field: {key: label or "" for key, label in names.items()} for field, names in row["labels"].items()},
        "keyframe": _keyframe(row, texts) if row["keyframe"] else None,
        "payload": None,
        "schema_version": contracts.latest(contracts.RAW),
        "amendments": [],
    }


def _actor(row: dict) -> dict:
    snapshot = row["actor_snapshot"]
    profile = {name: snapshot.get(name) or "" for name in _PROFILE} if snapshot else None
    return {"type": row["actor_type"], "id": row["actor_id"], "version": row["actor_version"], "snapshot": profile}


def _change(entry: dict, texts: dict, keyframe: bool) -> dict:
    change = {"before": None, "after": None, "before_ids": None, "after_ids": None, "edits": None, **entry}
    if change["kind"] == "relation":
        change["before_ids"], change["after_ids"] = change["before_ids"] or [], change["after_ids"] or []
    if change["kind"] == "text":
        change |= _text(*texts[change["field"]], keyframe)
    return change


def _text(before: str | None, after: str | None, keyframe: bool) -> dict:
    """An edit script between two texts; whole texts where one side is null; nothing where the keyframe has what is
    known.
    """
    if before is not None and after is not None:
        return {"edits": [edit._asdict() for edit in edit_script.diff(before, after)]}
    return {} if keyframe else {"before": before, "after": after}


def _keyframe(row: dict, texts: dict) -> dict:
    return {
        "values": {**row["scalars"], **{field: after for field, (_, after) in texts.items()}},
        "relations": row["relations"],
    }


def headers_of(event: dict, traceparent: str | None) -> dict[str, bytes]:
    """CloudEvents attributes of an event; `traceparent` (W3C) links it to the request it came from."""
    attributes = {
        "ce_specversion": CLOUDEVENTS_VERSION,
        "ce_id": str(event["event_id"]).encode(),
        "ce_type": f"audittrail.{event['operation']}".encode(),
        "ce_source": event_source().encode(),
        "ce_subject": event["article_id"].encode(),
        "ce_time": event["occurred_at"].isoformat().encode(),
        "content-type": CONTENT_TYPE,
    }
    return attributes | ({"traceparent": traceparent.encode()} if traceparent else {})


def violation(event: dict) -> InvalidEvent | None:
    """What keeps an event from being published under the newest contract, as far as that can be told without any
    service.
    """
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)
    try:
        codec.encode(event)
        validate(event)
        bare = codec.encode(large_payloads.without_content(event))
        return _too_large(bare) if len(bare) > LARGEST_MESSAGE else None
    except InvalidEvent as found:
        return found


def told(problem: Exception) -> str:
    """In words, why a row cannot be published."""
    return (
        str(problem)
        if isinstance(problem, InvalidEvent | amendments.BadAmendment)
        else f"event: cannot be read, {type(problem).__name__}: {problem}"
    )


def _too_large(value: bytes) -> InvalidEvent:
    return InvalidEvent(
        "title",
        f"makes the event {len(value)} bytes long even without its content",
        f"shorten it: {LARGEST_MESSAGE} are the limit",
    )


class MessageWriter:
    """Turns the rows of one lane into messages for `topic`; `partitions` are the lane's."""

    def __init__(self, topic: str, codec: Codec, key_of: KeyStrategy, partitions: Sequence[int]):
        self._topic, self._codec, self._key_of, self._partitions = topic, codec, key_of, partitions

    def write(self, rows: list[dict]) -> tuple[list[int], list[Message], list[Refusal]]:
        """Ids and messages of the valid rows, in order, and the others with what is wrong. Raises NotReady."""
        ids, messages, refused = [], [], []
        for row in rows:
            try:
                messages.append(self._message(row))
                ids.append(row["id"])
            # A row that cannot be understood must not keep those behind it waiting for ever.
            except (ValueError, TypeError, LookupError, AttributeError) as problem:
                refused.append(Refusal(row["id"], row["article_id"], told(problem)))
        return ids, messages, refused

    def _message(self, row: dict) -> Message:
        event = event_of(row)
        validate(event)
        value = self._value(event)
        key = self._key_of(event).encode()
        partition = partition_of(key, self._partitions)
        return Message(self._topic, partition, key, value, headers_of(event, self._traced(row, partition)))

    def _traced(self, row: dict, partition: int) -> str | None:
        attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._topic,
            "messaging.destination.partition.id": str(partition),
        }
        return tracing.published(row["context"].get("traceparent"), row["recorded_at"], attributes)

    def _value(self, event: dict) -> bytes:
        try:
            value = large_payloads.shrink(event, self._codec.encode)
        except ObjectStoreError as error:
            raise NotReady(f"object storage is away, a large event waits: {error.reason}") from error
        if len(value) > LARGEST_MESSAGE:
            raise _too_large(value)
        return value
