"""Names, literals and values of tracked columns, as expressions of SQL."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from audittrail.tracking import Tracked

if TYPE_CHECKING:
    from audittrail.capture.schema import Schema
    from audittrail.tracking import ColumnField

COMPARED_AS_THEY_ARE = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "boolean",
        "uuid",
        "date",
        "timestamp with time zone",
        "timestamp without time zone",
        "time without time zone",
    }
)
"""Types of which two equal values have the same text. Of others, numeric, jsonb, citext or interval among them, values
may be equal and yet read differently.
"""


def quoted(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text of SQL, whatever the session makes of backslashes."""
    return ("E" if "\\" in value else "") + "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def array(values: Iterable[str]) -> str:
    """An array of expressions, each a text."""
    return "ARRAY[" + ", ".join(values) + "]::text[]"


def canonical(field: "ColumnField", row: str, schema: "Schema") -> str:
    """The value of a column as the one text that stands for it in events.

    Timestamps are ISO 8601 in UTC with microseconds; everything else is PostgreSQL's own text under the settings that
    capture's functions pin (audittrail.capture.static_functions.PINNED), inside arrays and ranges as well.
    """
    column, kind = schema.in_row(field, row), schema.type_of(field)
    if kind == "timestamp with time zone":
        return f"audit_instant({column})"
    if kind == "timestamp without time zone":
        return f"audit_instant({column} AT TIME ZONE 'UTC')"
    return f"{column}::text"


def differs(field: "ColumnField", schema: "Schema") -> str:
    """Whether a column's stored text differs between OLD and NEW: by bytes, not as its collation has it."""
    if schema.type_of(field) in COMPARED_AS_THEY_ARE:
        return f"{schema.in_row(field, 'OLD')} IS DISTINCT FROM {schema.in_row(field, 'NEW')}"
    old, new = (f'{canonical(field, row, schema)} COLLATE "C"' for row in ("OLD", "NEW"))
    return f"({old}) IS DISTINCT FROM ({new})"


def scalar(tracked: Tracked, name: str, row: str, schema: "Schema") -> str:
    """The canonical value of a tracked column, or its mask."""
    value = canonical(tracked.field(name), row, schema)
    return f"audit_mask({value})" if name in tracked.masked else value


def jsonb_object(pairs: Iterable[tuple[str, str]]) -> str:
    """A jsonb of names and expressions; in parts, as a function takes a hundred arguments at most."""
    entries = [f"{literal(name)}, {expression}" for name, expression in pairs]
    parts = [f"jsonb_build_object({', '.join(entries[at : at + 40])})" for at in range(0, len(entries), 40)]
    return "(" + " || ".join(parts) + ")" if parts else "'{}'::jsonb"
