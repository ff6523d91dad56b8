"""Dead letters: what a stage could not process, kept with its reason, origin and bytes, until it is put back."""

import base64
import binascii
import struct
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TypedDict

import jsonschema
import orjson

from audittrail import conf as audit
from audittrail import contracts
from audittrail.contracts.codec import SchemaOfId, UndecodableEvent, schema_id
from consumers import conf
from consumers.kafka.schema_registry import Schemas
from consumers.messages import large_payloads
from consumers.messages.large_payloads import HexReference
from consumers.records import Message, Record, Rejection

NAMESPACE = uuid.UUID("6f1dd8f6-9f5c-5c5e-8d1e-0d1a5f0c2c52")
TYPE = b"audittrail.DeadLetter"
CONTENT_TYPE = b"application/vnd.confluent.json"
_FRAME = struct.Struct(">bI")


class _Place(TypedDict):
    topic: str
    partition: int
    offset: int


class WireOrigin(_Place):
    """Where the message was read, as the contract has it. `timestamp`: milliseconds since 1970."""

    timestamp: int | None


class Origin(_Place):
    """Where the message was read."""

    timestamp: datetime | None


class _LetterBase(TypedDict):
    dead_letter_id: str
    stage: str
    reason: str
    detail: str
    headers: dict[str, str | None]
    payload: HexReference | None
    article_id: str | None
    sequence: int | None
    failed_at: str


class WireLetter(_LetterBase):
    """A dead letter as the contract content-audit-trail.dead-letters has it: key, headers and value are base64."""

    origin: WireOrigin
    key: str | None
    value: str | None


class Letter(_LetterBase):
    """A dead letter as read: headers stay base64, as the rows keep them."""

    origin: Origin
    key: bytes | None
    value: bytes | None


def identity(stage: str, record: Record) -> uuid.UUID:
    """The same failure of the same message has the same identity; the time distinguishes topics created again
    under a name.
    """
    return uuid.uuid5(NAMESPACE, f"{stage}/{record.topic}/{record.partition}/{record.offset}/{record.timestamp_ms}")


class Writer:
    """Turns rejections into messages for the topic of dead letters, in the name of a stage."""

    def __init__(self, stage: str, schemas: Schemas):
        """Raises NotReady while the contract's id cannot be known."""
        self._stage = stage
        self._frame = _FRAME.pack(0, schemas.id_of(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS)))

    def message(self, rejection: Rejection) -> Message:
        """The dead letter; a value above the limit of an event goes to object storage. Raises NotReady when that is
        away.
        """
        letter = self._letter(rejection)
        key, value = letter["dead_letter_id"].encode(), self._frame + orjson.dumps(letter)
        partition = rejection.record.partition % conf.dead_letter_partitions()
        return Message(conf.dead_letter_topic(), partition, key, value, _headers(letter))

    def _letter(self, rejection: Rejection) -> WireLetter:
        record = rejection.record
        value, payload = _text(record.value), None
        if record.value is not None and len(record.value) > audit.event_limit():
            value, payload = None, large_payloads.store(record.value)
        return {
            "dead_letter_id": str(identity(self._stage, record)),
            "stage": self._stage,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "origin": _origin(record),
            "key": _text(record.key),
            "headers": {name: _text(value) for name, value in record.headers.items()},
            "value": value,
            "payload": payload,
            "article_id": rejection.article_id,
            "sequence": rejection.sequence,
            "failed_at": datetime.now(UTC).isoformat(),
        }


def _headers(letter: WireLetter) -> dict[str, bytes | None]:
    """CloudEvents attributes, and what readers filter by."""
    return {
        "ce_specversion": b"1.0",
        "ce_id": letter["dead_letter_id"].encode(),
        "ce_type": TYPE,
        "ce_source": audit.event_source().encode(),
        "ce_time": letter["failed_at"].encode(),
        "content-type": CONTENT_TYPE,
        "stage": letter["stage"].encode(),
        "reason": letter["reason"].encode(),
    }


def decode(value: bytes | None, schema_of_id: SchemaOfId) -> Letter:
    """The dead letter in a message's value; what the contract makes optional and it lacks is null, headers empty.

    `schema_of_id`: as for Codec.decode.  Raises UndecodableEvent, and what `schema_of_id` raises when it cannot tell.
    """
    data = value or b""
    identifier = schema_id(data)
    try:
        schema_of_id(identifier)
    except LookupError as error:
        raise UndecodableEvent("unknown_schema_id", f"no schema has id {identifier}") from error
    try:
        return _letter_of(_validated(data[_FRAME.size :]))
    except jsonschema.ValidationError as error:
        raise UndecodableEvent("wrong_schema", f"{error.json_path}: {error.message}"[:500]) from error
    except (ValueError, OverflowError, OSError, RecursionError) as error:
        raise UndecodableEvent("malformed", str(error)[:500]) from error


def _validated(data: bytes) -> WireLetter:
    """A letter that fits the contract, without what a later version of it may have added."""
    letter = orjson.loads(data)
    if isinstance(letter, dict):
        letter = {name: letter[name] for name in letter if name in _FIELDS}
    _validator().validate(letter)
    complete: WireLetter = _OPTIONAL | letter | {"origin": {"timestamp": None} | letter["origin"]}
    return complete


def _letter_of(wire: WireLetter) -> Letter:
    origin = wire["origin"]
    return {
        **wire,
        "key": _bytes(wire["key"]),
        "value": _bytes(wire["value"]),
        "origin": {**origin, "timestamp": _time(origin["timestamp"])},
    }


@cache
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(
        contracts.schema(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS))
    )


_FIELDS = frozenset(WireLetter.__annotations__)
_OPTIONAL: dict[str, object] = {
    "key": None,
    "headers": {},
    "value": None,
    "payload": None,
    "article_id": None,
    "sequence": None,
}


def _origin(record: Record) -> WireOrigin:
    timestamp = record.timestamp_ms if record.timestamp_ms >= 0 else None
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": timestamp}


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
