"""Events to bytes and back: Confluent's wire format (0x00, 4-byte big-endian schema id, Avro body).

Schema ids come from the caller: nothing here talks to a registry. In a decoded event ``event_id`` is a uuid.UUID, times
are aware datetimes in UTC to the microsecond (as the database gives and takes them; integers and text instead would
save 3 of 17 µs an event), hashes are bytes.
"""

import io
import reprlib
import struct
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar, overload

import fastavro

from audittrail import contracts
from audittrail.contracts import EnrichedContract, RawContract, SchemaDocument
from audittrail.contracts.upcasters import UPCASTERS
from audittrail.contracts.validation import InvalidEvent
from audittrail.events.event import EnrichedEvent, Event

SchemaOfId = Callable[[int], SchemaDocument]
"""Gives the schema registered under an id; raises LookupError for an id that does not exist."""

AnyEvent = TypeVar("AnyEvent", bound=Event)

FRAME = struct.Struct(">bI")
"""What is before the body: a zero, and the id of the schema that it was written with."""
_MAGIC = 0


class UndecodableEvent(ValueError):
    """Bytes that are not an event: ``reason`` is a short code, ``detail`` says it in words.

    Reasons: truncated, wrong_magic_byte, unknown_schema_id, wrong_schema, malformed, invalid_utf8, too_deep,
    trailing_bytes.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class _Writer(NamedTuple):
    """A schema that events were written with; ``resolves`` when it differs from the codec's own."""

    schema: SchemaDocument
    version: int | None
    resolves: bool


def schema_id(data: bytes) -> int:
    """The id of the schema that framed bytes were written with. Raises UndecodableEvent."""
    if len(data) < FRAME.size:
        raise UndecodableEvent("truncated", f"{len(data)} bytes; the frame alone has {FRAME.size}")
    magic: int
    identifier: int
    magic, identifier = FRAME.unpack_from(data)
    if magic != _MAGIC:
        raise UndecodableEvent("wrong_magic_byte", f"starts with 0x{data[0]:02x} instead of 0x00")
    return identifier


def read_framed(data: bytes, writer: SchemaDocument, reader: SchemaDocument | None = None) -> Any:
    """The record in framed bytes that were written with one schema, as another has it, if given. Raises
    UndecodableEvent.
    """
    body = io.BytesIO(data)
    body.seek(FRAME.size)
    try:
        event = fastavro.schemaless_reader(body, writer, reader)
    except Exception as error:
        raise _undecodable(error, at_end=body.tell() >= len(data)) from error
    if body.tell() != len(data):
        raise UndecodableEvent("trailing_bytes", f"{len(data) - body.tell()} bytes after the event")
    return event


class Codec(Generic[AnyEvent]):
    """Writes events of one version of an Avro contract under ``schema_id``; reads any version into that one.

    Raises contracts.UnknownContract.
    """

    @overload
    def __init__(self: "Codec[Event]", contract: RawContract, version: int, schema_id: int): ...
    @overload
    def __init__(self: "Codec[EnrichedEvent]", contract: EnrichedContract, version: int, schema_id: int): ...
    def __init__(self, contract: str, version: int, schema_id: int):
        self.contract, self.version = contract, version
        self._schema = contracts.schema(contract, version)
        self.frame = FRAME.pack(_MAGIC, schema_id)
        """What is before the body of each event that it writes."""
        self._writers: dict[int, _Writer] = {}

    def encode(self, event: AnyEvent) -> bytes:
        """Framed bytes of an event; fields with a default may be left out. Raises InvalidEvent naming the field that
        does not fit.
        """
        body = io.BytesIO(self.frame)
        body.seek(FRAME.size)
        try:
            fastavro.schemaless_writer(body, self._schema, event, strict_allow_default=True)
        except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
            raise self._invalid(event, error) from error
        return body.getvalue()

    def decode(self, data: bytes, schema_of_id: SchemaOfId) -> AnyEvent:
        """The event in framed bytes, in this codec's version.

        ``schema_of_id`` gives the schema registered under an id, and is asked once for each; it raises LookupError for
        an id that does not exist; what else it raises, when it cannot answer, passes through. Raises
        UndecodableEvent for anything else.
        """
        identifier = schema_id(data)
        writer = self._writers.get(identifier) or self._admit(identifier, schema_of_id)
        event: AnyEvent = read_framed(data, writer.schema, self._schema if writer.resolves else None)
        return self._upcast(data, writer, event) if writer.resolves else event

    def _upcast(self, data: bytes, writer: _Writer, event: AnyEvent) -> AnyEvent:
        if writer.version is None or (self.contract, writer.version) not in UPCASTERS:
            return event
        upcast: AnyEvent = UPCASTERS[self.contract, writer.version](read_framed(data, writer.schema, None), event)
        return upcast

    def _admit(self, identifier: int, schema_of_id: SchemaOfId) -> _Writer:
        try:
            found = schema_of_id(identifier)
        except LookupError as error:
            raise UndecodableEvent("unknown_schema_id", f"no schema has id {identifier}") from error
        if (
            not isinstance(found, dict)
            or found.get("type") != "record"
            or _full_name(found) != _full_name(self._schema)
        ):
            raise UndecodableEvent("wrong_schema", f"schema id {identifier} is not one of {self.contract}")
        schema = contracts.parsed(found)
        if _is_recursive(schema, ()):
            # fastavro recurses in C: a message nested deep enough would end the process.
            raise UndecodableEvent(
                "too_deep", f"schema id {identifier} contains itself, so its messages may be nested without end"
            )
        writer = self._writers[identifier] = _Writer(schema, found.get("x-contract-version"), schema != self._schema)
        return writer

    def _invalid(self, event: Any, error: Exception) -> InvalidEvent:
        try:
            fastavro.validate(event, self._schema, raise_errors=True)
        except fastavro.validation.ValidationError as violation:
            # Of a union's branches each complains: the one that got furthest saw what was meant.
            furthest = max(violation.errors, key=lambda found: len(found.field))
            return InvalidEvent(
                _dotted(furthest.field),
                f"is {reprlib.repr(furthest.datum)}",
                f"use a value of type {_type_name(furthest.schema)}",
            )
        except Exception:  # noqa: S110 - the validator may trip over the same value: then the writer's words have to do
            pass
        return InvalidEvent("event", _shortened(error), f"see the contract {self.contract}, version {self.version}")


def _full_name(schema: SchemaDocument) -> str:
    name: str = schema.get("name", "")
    namespace = schema.get("namespace")
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _is_recursive(schema: str | list[Any] | SchemaDocument, within: tuple[str, ...]) -> bool:
    if isinstance(schema, str):
        return schema in within
    if isinstance(schema, list):
        return any(_is_recursive(branch, within) for branch in schema)
    if schema["type"] == "record":
        return any(_is_recursive(field["type"], (*within, schema["name"])) for field in schema["fields"])
    return any(_is_recursive(schema[part], within) for part in ("items", "values") if part in schema)


def _dotted(field: str) -> str:
    # fastavro names a field by its record: audittrail.ContentAuditEvent.title, audittrail.Edit.position
    return ".".join(part for part in field.split(".")[1:] if not part.endswith("Event")) or "event"


def _type_name(schema: str | list[Any] | SchemaDocument) -> str:
    if isinstance(schema, list):
        return " or ".join(_type_name(branch) for branch in schema)
    if isinstance(schema, dict):
        return str(schema.get("logicalType") or schema.get("name") or _type_name(schema["type"]))
    return schema


def _shortened(error: Exception) -> str:
    return str(error)[:500]


def _undecodable(error: Exception, at_end: bool) -> UndecodableEvent:
    # fastavro meets the end with an IndexError where it expects the number of a union's branch.
    if isinstance(error, EOFError) or (at_end and isinstance(error, IndexError)):
        return UndecodableEvent("truncated", "the event ends before its last field")
    if isinstance(error, UnicodeDecodeError):
        return UndecodableEvent("invalid_utf8", str(error))
    return UndecodableEvent("malformed", f"{type(error).__name__}: {_shortened(error)}")
