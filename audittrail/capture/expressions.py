"""Names, literals and values of tracked columns, as expressions of SQL."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models

from audittrail.tracking import Tracked, column_name, primary_key_of

if TYPE_CHECKING:
    from audittrail.tracking import ColumnField


def quoted(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text of SQL."""
    return "'" + value.replace("'", "''") + "'"


def array(values: Iterable[str]) -> str:
    """An array of expressions, each a text."""
    return "ARRAY[" + ", ".join(values) + "]::text[]"


def identifier(kind: str) -> str:
    """The part of a function's name that stands for a kind."""
    return kind.replace(".", "_")


def primary_key_column(model: type[models.Model]) -> str:
    """The quoted column of a model's primary key."""
    return quoted(column_name(primary_key_of(model)))


def tracked_column(tracked: Tracked, name: str) -> str:
    """The quoted column of a tracked scalar or text."""
    return quoted(column_name(tracked.field(name)))


def canonical(field: "ColumnField", row: str) -> str:
    """The value of a column as the one text that stands for it in events, whatever the session's settings.

    Timestamps are ISO 8601 in UTC with microseconds, dates ISO 8601; everything else is PostgreSQL's own text.
    """
    column = f"{row}.{quoted(column_name(field))}"
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    internal = target.get_internal_type()
    if internal == "DateTimeField":
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if internal == "DateField":
        return f"to_char({column}, 'YYYY-MM-DD')"
    return f"{column}::text"


def scalar(tracked: Tracked, name: str, row: str) -> str:
    """The canonical value of a tracked column, or its mask."""
    value = canonical(tracked.field(name), row)
    return f"audit_mask({value})" if name in tracked.masked else value


def scalars(tracked: Tracked, row: str) -> str:
    """A jsonb_build_object of the short values; in parts, as a function takes a hundred arguments at most."""
    pairs = [f"{literal(name)}, {scalar(tracked, name, row)}" for name in tracked.fields]
    parts = [f"jsonb_build_object({', '.join(pairs[at : at + 40])})" for at in range(0, len(pairs), 40)]
    return " || ".join(parts)
