"""Events of one contract turned into events of another that begins with the same fields, bytes appended to bytes.

The encoding of an Avro record is that of its fields, one after the other in the order of the schema (Apache Avro 1.11,
Specification, "Complex Types: Records"): what is added goes to the end, and what was read is not encoded again.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import fastavro

from audittrail import contracts
from audittrail.contracts import SchemaDocument
from audittrail.contracts.codec import FRAME, Codec, read_framed
from audittrail.events.event import EnrichedEvent, Event

Plain = Mapping[str, Any]
"""The fields of an event by name; its identity is a text, its times are microseconds."""


class NotExtensible(ValueError):
    """The extended contract does not begin with the fields of the other, or has them with other types."""


class Extension:
    """Appends to events as one codec writes them what those of another have beyond. Raises NotExtensible."""

    def __init__(self, base: Codec[Event], extended: Codec[EnrichedEvent]):
        self._base_frame, self._extended_frame = base.frame, extended.frame
        fields, beyond = _split(base, extended)
        self._plain = contracts.parsed(_record(fields))
        self._beyond = contracts.parsed(_record(beyond))

    def is_of(self, data: bytes) -> bool:
        """Whether these framed bytes were written by the base codec, or one like it."""
        return data.startswith(self._base_frame)

    def read(self, data: bytes) -> Plain:
        """The event in such bytes, without what its logical types cost: a fifth. Raises UndecodableEvent."""
        event: Plain = read_framed(data, self._plain)
        return event

    def extend(self, data: bytes, added: Mapping[str, Any]) -> bytes:
        """Such bytes as an event of the extended contract."""
        extended = io.BytesIO()
        extended.write(self._extended_frame)
        extended.write(memoryview(data)[FRAME.size :])
        fastavro.schemaless_writer(extended, self._beyond, added)
        return extended.getvalue()


def _split(base: Codec[Event], extended: Codec[EnrichedEvent]) -> tuple[list[SchemaDocument], list[SchemaDocument]]:
    """The fields of the base, and those that the extended contract has beyond them, each with its types in place."""
    fields, all_fields = (list(_plain_fields(codec.contract, codec.version)) for codec in (base, extended))
    # An event says the version of its contract itself.
    if fields != all_fields[: len(fields)] or base.version != extended.version:
        names = (f"{codec.contract} version {codec.version}" for codec in (extended, base))
        raise NotExtensible("{} does not begin with the fields of {}".format(*names))
    return fields, all_fields[len(fields) :]


def _plain_fields(contract: str, version: int) -> Iterator[SchemaDocument]:
    known: dict[str, Any] = {}
    for field in contracts.schema(contract, version)["fields"]:
        yield {"name": field["name"], "type": _plain(field["type"], known)}


def _plain(schema: Any, known: dict[str, Any]) -> Any:
    """A type without documentation, defaults and logical types, its named types written out wherever they occur."""
    if isinstance(schema, str):
        return known.get(schema, schema)
    if isinstance(schema, list):
        return [_plain(branch, known) for branch in schema]
    if schema["type"] == "record":
        fields = [{"name": field["name"], "type": _plain(field["type"], known)} for field in schema["fields"]]
        return known.setdefault(schema["name"], {"type": "record", "name": schema["name"], "fields": fields})
    parts = {part: _plain(schema[part], known) for part in ("items", "values") if part in schema}
    return {"type": schema["type"], **parts} if parts else schema["type"]


def _record(fields: list[SchemaDocument]) -> SchemaDocument:
    return {"type": "record", "name": "Fields", "fields": fields}
