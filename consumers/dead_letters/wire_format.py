"""Dead letters: what a stage could not process, kept with its reason, origin and bytes, until it is put back."""

import base64
import binascii
import struct
import uuid
from datetime import UTC, datetime
from functools import cache

import jsonschema
import orjson

from audittrail import conf as audit
from audittrail import contracts
from audittrail.contracts.codec import SchemaOfId, UndecodableEvent, schema_id
from consumers import conf
from consumers.kafka.schema_registry import Schemas
from consumers.messages import large_payloads
from consumers.records import Message, Record, Rejection

NAMESPACE = uuid.UUID("6f1dd8f6-9f5c-5c5e-8d1e-0d1a5f0c2c52")
TYPE = b"audittrail.DeadLetter"
CONTENT_TYPE = b"application/vnd.confluent.json"
_FRAME = struct.Struct(">bI")


def identity(stage: str, record: Record) -> uuid.UUID:
    """The same failure of the same message has the same identity; the time tells apart topics made anew under a
    name.
    """
    return uuid.uuid5(NAMESPACE, f"{stage}/{record.topic}/{record.partition}/{record.offset}/{record.timestamp_ms}")


class Writer:
    """Turns rejections into messages for the topic of dead letters."""

    def __init__(self, stage: str, schemas: Schemas):
        """Raises NotReady while the contract's id cannot be known."""
        self._stage = stage
        self._frame = _FRAME.pack(0, schemas.id_of(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS)))

    def message(self, rejection: Rejection) -> Message:
        """The dead letter; a value above the limit of an event goes to object storage. Raises NotReady when that is
        away.
        """
        letter, record = self._letter(rejection), rejection.record
        headers = {
            "ce_specversion": b"1.0",
            "ce_id": letter["dead_letter_id"].encode(),
            "ce_type": TYPE,
            "ce_source": audit.event_source().encode(),
            "ce_time": letter["failed_at"].encode(),
            "content-type": CONTENT_TYPE,
            "stage": self._stage.encode(),
            "reason": rejection.reason.encode(),
        }
        partition = record.partition % conf.dead_letter_partitions()
        return Message(
            conf.dead_letter_topic(), partition, headers["ce_id"], self._frame + orjson.dumps(letter), headers
        )

    def _letter(self, rejection: Rejection) -> dict:
        record = rejection.record
        large = record.value is not None and len(record.value) > audit.event_limit()
        return {
            "dead_letter_id": str(identity(self._stage, record)),
            "stage": self._stage,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "origin": {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "timestamp": _known(record.timestamp_ms),
            },
            "key": _text(record.key),
            "headers": {name: _text(value) for name, value in record.headers.items()},
            "value": None if large else _text(record.value),
            "payload": large_payloads.store(record.value) if large else None,
            "article_id": rejection.article_id,
            "sequence": rejection.sequence,
            "failed_at": datetime.now(UTC).isoformat(),
        }


def decode(value: bytes | None, schema_of_id: SchemaOfId) -> dict:
    """The dead letter in a message's value, as its contract describes it, except that key and value are bytes and the
    origin's time a datetime; headers stay base64.

    `schema_of_id`: as for Codec.decode.  Raises UndecodableEvent, and what `schema_of_id` raises when it cannot tell.
    """
    identifier = schema_id(value or b"")
    try:
        schema_of_id(identifier)
    except LookupError as error:
        raise UndecodableEvent("unknown_schema_id", f"no schema has id {identifier}") from error
    try:
        letter = _known_to_us(orjson.loads(value[_FRAME.size :]))
        _validator().validate(letter)
        return letter | {
            "key": _bytes(letter.get("key")),
            "value": _bytes(letter.get("value")),
            "headers": letter.get("headers", {}),
            "origin": letter["origin"] | {"timestamp": _time(letter["origin"].get("timestamp"))},
        }
    except jsonschema.ValidationError as error:
        raise UndecodableEvent("wrong_schema", f"{error.json_path}: {error.message}"[:500]) from error
    except (ValueError, OverflowError, OSError, RecursionError) as error:
        raise UndecodableEvent("malformed", str(error)[:500]) from error


def _known_to_us(letter):
    """Without what a later version of the contract may have added."""
    return (
        {name: letter[name] for name in letter if name in _validator().schema["properties"]}
        if isinstance(letter, dict)
        else letter
    )


@cache
def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(
        contracts.schema(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS))
    )


def _known(timestamp_ms: int) -> int | None:
    return timestamp_ms if timestamp_ms >= 0 else None


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
