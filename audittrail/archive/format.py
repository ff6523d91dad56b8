"""The archive's Parquet: one row for each event, columns named like the fields of the enriched contract, and where it
lay in Kafka.

Any reader of Parquet reads it: identities are UUIDs, times microseconds in UTC, hashes binary, changes nested lists,
labels maps. Content that was too large for a message is stored here in full; `payload` then still says so.
"""

import io
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from audittrail import contracts
from audittrail.events.event import EnrichedEvent
from audittrail.events.times import EPOCH

FORMAT = "audit-trail/1"

_TIME = pa.timestamp("us", tz="UTC")
_PRIMITIVES = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "int": pa.int32(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
}
_LOGICAL = {"uuid": pa.uuid(), "timestamp-micros": _TIME}


def columns_of(schema: dict) -> list[tuple[str, pa.DataType]]:
    """The columns of an Avro record, so that a field added to the contract is a column of the archive. Raises KeyError
    for a type without one.
    """
    named: dict[str, pa.DataType] = {}
    return [(field["name"], _column(field["type"], named)) for field in schema["fields"]]


def _column(avro: str | list | dict, named: dict[str, pa.DataType]) -> pa.DataType:
    """`named`: records met before, as Avro writes them out once and then by name. Every column may be null."""
    if isinstance(avro, list):
        (avro,) = [branch for branch in avro if branch != "null"]
    if isinstance(avro, str):
        return named.get(avro) or _PRIMITIVES[avro]
    if "logicalType" in avro:
        return _LOGICAL[avro["logicalType"]]
    if avro["type"] == "array":
        return pa.list_(_column(avro["items"], named))
    if avro["type"] == "map":
        return pa.map_(pa.string(), _column(avro["values"], named))
    if avro["type"] == "record":
        named[avro["name"]] = pa.struct([(field["name"], _column(field["type"], named)) for field in avro["fields"]])
        return named[avro["name"]]
    return _PRIMITIVES[avro["type"]]


_CONTRACT = contracts.schema(contracts.ENRICHED, contracts.latest(contracts.ENRICHED))

EVENT_COLUMNS = columns_of(_CONTRACT)
ORIGIN_COLUMNS = [
    ("topic_id", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("appended_at", _TIME),
]
"""Kafka's id of the topic, the partition and offset there, and when Kafka took the event in."""


class ArchivedEvent(EnrichedEvent):
    """A row of the archive: an enriched event with its origin (see ORIGIN_COLUMNS)."""

    topic_id: str
    partition: int
    offset: int
    appended_at: datetime


SCHEMA = pa.schema(EVENT_COLUMNS + ORIGIN_COLUMNS, metadata={"format": FORMAT})


def table(rows: Sequence[ArchivedEvent]) -> pa.Table:
    """Enriched events, each with its origin, as a table. Raises pyarrow.ArrowInvalid or ArrowTypeError for values of
    other types.
    """
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def to_parquet(events: pa.Table) -> bytes:
    target = io.BytesIO()
    pq.write_table(events, target, compression="zstd")
    return target.getvalue()


def from_parquet(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in an object, or some of its columns. Raises pyarrow.ArrowInvalid for bytes that are not Parquet."""
    # Threads cost more than they save on objects of this size.
    return pq.read_table(pa.BufferReader(data), columns=columns, use_threads=False)


def events(stored: pa.Table) -> list[ArchivedEvent]:
    """The events of a table, as the codec gives them; origin columns included. What an older contract lacked has its
    default.

    Raises pyarrow.ArrowInvalid for columns of other types than SCHEMA's, and for a map with a key twice.
    """
    lacking = {
        field["name"]: field["default"] for field in _CONTRACT["fields"] if field["name"] not in stored.column_names
    }
    whole = pa.concat_tables([SCHEMA.empty_table(), stored], promote_options="default")
    columns = [_values(column.combine_chunks()) for column in whole.columns]
    return [dict(zip(whole.column_names, row, strict=True)) | lacking for row in zip(*columns, strict=True)]


def _values(array: pa.Array) -> list:
    """As Array.to_pylist, but column by column, where that makes an Arrow object of each value on its way."""
    if isinstance(array, pa.ExtensionArray):
        return [None if value is None else uuid.UUID(bytes=value) for value in array.storage.to_pylist()]
    if pa.types.is_timestamp(array.type):
        return [
            None if value is None else EPOCH + timedelta(microseconds=value)
            for value in array.cast(pa.int64()).to_pylist()
        ]
    if pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        return _with_nulls(
            array, [dict(zip(names, row, strict=True)) for row in zip(*map(_values, array.flatten()), strict=True)]
        )
    if pa.types.is_map(array.type):
        return _with_nulls(
            array, _parts(array, list(zip(_values(array.keys), _values(array.items), strict=True)), _mapping)
        )
    if pa.types.is_list(array.type):
        return _with_nulls(array, _parts(array, _values(array.values), list))
    return array.to_pylist()


def _parts(array: pa.Array, values: list, make) -> list:
    offsets = array.offsets.to_pylist()
    return [make(values[start:end]) for start, end in zip(offsets, offsets[1:], strict=False)]


def _mapping(pairs: list[tuple]) -> dict:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise pa.ArrowInvalid(f"a map has a key twice: {sorted(key for key, _ in pairs)}")
    return mapping


def _with_nulls(array: pa.Array, values: list) -> list:
    return (
        [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist(), strict=True)]
        if array.null_count
        else values
    )
