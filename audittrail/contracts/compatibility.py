"""Whether every kept version of an Avro contract can be read by every other: offline, by Apache Avro's own rules and
three more.

The registry enforces one direction (BACKWARD_TRANSITIVE). Both are demanded here, so that producers and consumers may
be upgraded in any order. Also refused is what Avro lets pass though data would be misread: see STRICTER. JSON Schema
contracts are checked by the registry only.
"""

import json
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any, NamedTuple

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType, lookup_writer_field
from avro.schema import ArraySchema, Field, MapSchema, RecordSchema, Schema, UnionSchema, parse

from audittrail import contracts

SchemaText = str | dict[str, Any]

STRICTER = {
    "logical_type_changed": (
        "The bytes can be read, their meaning is another: milliseconds would be taken for microseconds."
    ),
    "bytes_read_as_string": "Bytes that are not UTF-8 cannot be read.",
    "full_name_changed": (
        "Consumers know a contract by the name and namespace of its record, and reject events of another."
    ),
}
"""Rules beyond Avro's own, which the registry follows, and why they are there."""


class Incompatibility(NamedTuple):
    """Why data of one schema cannot be read by another: the field (dotted path; "" for the record itself), Avro's rule,
    the detail.
    """

    field: str
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field or 'the record itself'}: {self.rule} ({self.detail})"


class Conflict(NamedTuple):
    """A reader's version that cannot read what a writer's version wrote."""

    reader: str
    writer: str
    problem: Incompatibility

    def __str__(self) -> str:
        return f"{self.reader} cannot read what {self.writer} wrote: {self.problem}"


def incompatibilities(reader: SchemaText, writer: SchemaText) -> list[Incompatibility]:
    """What keeps ``reader`` from reading data written by ``writer`` rightly; empty when nothing does.

    Raises avro.errors.AvroException for a text that is not an Avro schema.
    """
    read, written = _parsed(reader), _parsed(writer)
    return _compare(read, written, "") + list(_misread(read, written, "")) or _full_name(read, written)


def check(contract: str) -> list[Conflict]:
    """Conflicts between any two kept versions of an Avro contract, in both directions. Raises UnknownContract."""
    return conflicts({f"v{version}": contracts.text(contract, version) for version in contracts.versions(contract)})


def conflicts(schemas: dict[str, SchemaText]) -> list[Conflict]:
    """Conflicts between any two of the named schemas, in both directions."""
    return [
        Conflict(reader, writer, problem)
        for reader, writer in permutations(schemas, 2)
        for problem in incompatibilities(schemas[reader], schemas[writer])
    ]


def _parsed(schema: SchemaText) -> Schema:
    return parse(schema if isinstance(schema, str) else json.dumps(schema))


def _compare(reader: Schema, writer: Schema, path: str) -> list[Incompatibility]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro leaves its type out
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    # The library pools the findings of a record; field by field each can be named.
    if isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema):
        named = [problem for field in reader.fields for problem in _compare_field(field, writer, path)]
        if named:
            return named
    rules = ", ".join(dict.fromkeys(rule.value for rule in result.incompatibilities))
    return [Incompatibility(path, rules, "; ".join(sorted(result.messages)))]


def _compare_field(field: Field, writer: RecordSchema, path: str) -> list[Incompatibility]:
    name = f"{path}.{field.name}" if path else field.name
    written = lookup_writer_field(writer, field)
    if written is not None:
        return _compare_types(field.type, written.type, name)
    if field.has_default:
        return []
    return [
        Incompatibility(name, "reader_field_missing_default_value", "new or renamed, without a default or an alias")
    ]


def _compare_types(reader: Schema, writer: Schema, path: str) -> list[Incompatibility]:
    if isinstance(reader, ArraySchema) and isinstance(writer, ArraySchema):
        return _compare_types(reader.items, writer.items, f"{path}[]")
    if isinstance(reader, MapSchema) and isinstance(writer, MapSchema):
        return _compare_types(reader.values, writer.values, f"{path}{{}}")
    return _compare(reader, writer, path)


def _full_name(reader: Schema, writer: Schema) -> list[Incompatibility]:
    names = [getattr(schema, "fullname", "") for schema in (reader, writer)]
    if names[0] == names[1]:
        return []
    return [Incompatibility("", "full_name_changed", f"{names[1]} becomes {names[0]}")]


def _misread(reader: Schema, writer: Schema, path: str, within: tuple[str, ...] = ()) -> Iterator[Incompatibility]:
    """What Avro reads without complaint, and wrongly, in each pair of types that meet."""
    for read, written in product(_branches(reader), _branches(writer)):
        if (read.type, written.type) == ("string", "bytes") and not any(
            branch.type == "bytes" for branch in _branches(reader)
        ):
            yield Incompatibility(path, "bytes_read_as_string", "not every sequence of bytes is UTF-8")
        if read.type != written.type or getattr(read, "name", "") != getattr(written, "name", ""):
            continue
        if read.type in ("record", "array", "map"):
            yield from _misread_within(read, written, path, within)
        elif (now := _meaning(read)) != (then := _meaning(written)):
            yield Incompatibility(path, "logical_type_changed", f"{then} becomes {now}: use a new field")


def _misread_within(reader: Schema, writer: Schema, path: str, within: tuple[str, ...]) -> Iterator[Incompatibility]:
    if isinstance(reader, ArraySchema) and isinstance(writer, ArraySchema):
        yield from _misread(reader.items, writer.items, f"{path}[]", within)
    elif isinstance(reader, MapSchema) and isinstance(writer, MapSchema):
        yield from _misread(reader.values, writer.values, f"{path}{{}}", within)
    elif isinstance(reader, RecordSchema) and isinstance(writer, RecordSchema) and reader.fullname not in within:
        for field in reader.fields:
            if written := lookup_writer_field(writer, field):
                name = f"{path}.{field.name}" if path else field.name
                yield from _misread(field.type, written.type, name, (*within, reader.fullname))


def _branches(schema: Schema) -> list[Schema]:
    return list(schema.schemas) if isinstance(schema, UnionSchema) else [schema]


def _meaning(schema: Schema) -> str:
    """The logical type with its parameters, or the bare type."""
    if "logicalType" not in schema.other_props:
        return schema.type
    parameters = [f"{name} {schema.other_props[name]}" for name in ("precision", "scale") if name in schema.other_props]
    return " ".join([str(schema.other_props["logicalType"]), *parameters])
