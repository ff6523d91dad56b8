"""The archive's Parquet: one row for each event, columns named like the fields of the enriched contract, and its place
in Kafka.

Any reader of Parquet reads it: identities are UUIDs, times microseconds in UTC, hashes binary, changes nested lists,
labels maps. Content that was too large for a message is stored here in full; `payload` then still says so.
"""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from audittrail import contracts
from audittrail.archive.arrow_values import python_values
from audittrail.contracts import SchemaDocument
from audittrail.events.event import EnrichedEvent
from audittrail.events.field_check import require_same_fields

FORMAT = "audit-trail/1"

_TIME = pa.timestamp("us", tz="UTC")
_PRIMITIVES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "int": pa.int32(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
}
_LOGICAL: dict[str, pa.DataType] = {"uuid": pa.uuid(), "timestamp-micros": _TIME}


def columns_of(schema: SchemaDocument) -> list[tuple[str, pa.DataType]]:
    """The columns of an Avro record, so that a field added to the contract is a column of the archive. Raises KeyError
    for a type without one.
    """
    named: dict[str, pa.DataType] = {}
    return [(field["name"], _column(field["type"], named)) for field in schema["fields"]]


def _column(avro: str | list[Any] | SchemaDocument, named: dict[str, pa.DataType]) -> pa.DataType:
    """`named`: records met before, as Avro writes them out once and then by name. Every column may be null."""
    if isinstance(avro, list):
        (branch,) = [branch for branch in avro if branch != "null"]
        return _column(branch, named)
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
ORIGIN_COLUMNS: list[tuple[str, pa.DataType]] = [
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


require_same_fields(
    [name for name, _ in ORIGIN_COLUMNS],
    "audittrail.archive.format.ORIGIN_COLUMNS",
    ArchivedEvent.__annotations__.keys() - EnrichedEvent.__annotations__.keys(),
    "audittrail.archive.format.ArchivedEvent",
    remedy="change both",
)

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
    names = None if columns is None else list(columns)
    return pq.read_table(pa.BufferReader(data), columns=names, use_threads=False)


def events(stored: pa.Table) -> list[ArchivedEvent]:
    """The events of a table, as the codec gives them; origin columns included. What an older contract lacked has its
    default.

    Raises pyarrow.ArrowInvalid for columns of other types than SCHEMA's, and for a map with a key twice.
    """
    lacking = {
        field["name"]: field["default"] for field in _CONTRACT["fields"] if field["name"] not in stored.column_names
    }
    whole = pa.concat_tables([SCHEMA.empty_table(), stored], promote_options="default")
    columns = [python_values(column.combine_chunks()) for column in whole.columns]
    rows = [dict(zip(whole.column_names, row, strict=True)) | lacking for row in zip(*columns, strict=True)]
    return cast(list[ArchivedEvent], rows)
