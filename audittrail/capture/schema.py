"""The tables of tracked models as the database has them now, which during migrations is not what the models say.

While migrations run, a table or a column that will be renamed has its earlier name, and one that will be added is
absent. Capture is generated for what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture.expressions import quoted
from audittrail.tracking import (
    RelationTable,
    Tracked,
    TrackedActor,
    all_actors,
    all_tracked,
    column_name,
    primary_key_of,
    referred_field,
    related_model,
)

if TYPE_CHECKING:
    from audittrail.tracking import ColumnField


class Column(NamedTuple):
    """A column as the catalogue has it: its number, its type's name and that type's modifier."""

    number: int
    type: str
    modifier: int


@dataclass(frozen=True)
class Table:
    """A table as the catalogue has it: name, object id, and its columns by name."""

    name: str
    oid: int
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class EarlierNames:
    """Names that tables and columns have until migrations still to come rename them.

    `tables`: name → earlier names, newest first; `columns`: table and column, by their last names → earlier names.
    """

    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


class Schema:
    """Names and types of tracked tables and columns in the database of a connection."""

    def __init__(self, tables: Mapping[str, Table], earlier: EarlierNames, namespace: str):
        self.namespace, self._tables, self._earlier = namespace, tables, earlier

    def has(self, *fields: "ColumnField") -> bool:
        """Whether the database has the columns of these fields."""
        return all(self._column(each) is not None for each in fields)

    def has_table(self, model: type[models.Model]) -> bool:
        return self._table(model) is not None

    def table(self, model: type[models.Model]) -> str:
        """The name that a model's table has now."""
        found = self._table(model)
        return found.name if found else model._meta.db_table

    def quoted_table(self, model: type[models.Model]) -> str:
        return quoted(self.table(model))

    def in_row(self, field: "ColumnField", row: str) -> str:
        """The column of a field in a row, by the name that it has now."""
        found = self._column(field)
        return f"{row}.{quoted(found[0] if found else column_name(field))}"

    def key_in_row(self, model: type[models.Model], row: str) -> str:
        """The primary key of a model in a row."""
        return self.in_row(primary_key_of(model), row)

    def type_of(self, field: "ColumnField") -> str:
        """The type of a field's column, without its modifiers: `numeric` of `numeric(8, 2)`."""
        found = self._column(field)
        return found[1].type if found else ""

    def row_of(self, model: type[models.Model]) -> str:
        """The columns of a model's table with their types, as text."""
        table = self._table(model)
        return ", ".join(f"{name} {column.type}" for name, column in table.columns.items()) if table else ""

    def identity(self, field: "ColumnField") -> tuple[int, Column] | None:
        """What tells that the column of a field is another one than before; None where it is absent."""
        table, found = self._table(field.model), self._column(field)
        return (table.oid, found[1]) if table and found else None

    def tables_unlike(self, other: "Schema") -> set[str]:
        """Tables that have other columns than in the other one, by the names that they have here."""
        return {name for name, table in self._tables.items() if other._tables.get(name) != table}

    def _table(self, model: type[models.Model]) -> Table | None:
        name = model._meta.db_table
        names = (name, *self._earlier.tables.get(name, ()))
        return next((self._tables[each] for each in names if each in self._tables), None)

    def _column(self, field: "ColumnField") -> tuple[str, Column] | None:
        table, name = self._table(field.model), column_name(field)
        if table is None:
            return None
        names = (name, *self._earlier.columns.get((field.model._meta.db_table, name), ()))
        found = next((each for each in names if each in table.columns), None)
        if found is None or (found == name and self._is_of_another(name, field.model, table)):
            return None
        return found, table.columns[found]

    def _is_of_another(self, column: str, model: type[models.Model], table: Table) -> bool:
        """Whether a column is still that of another field, which will give its name up."""
        earlier = self._earlier.columns
        others = (last for (place, last), names in earlier.items() if place == model._meta.db_table and column in names)
        return any(last != column and last not in table.columns for last in others)


def read(connection: BaseDatabaseWrapper, earlier: EarlierNames | None = None) -> Schema:
    """The schema as the database has it now."""
    earlier = earlier or EarlierNames()
    names = {model._meta.db_table for model in _models()}
    names.update(*(earlier.tables.get(name, ()) for name in names))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        namespace = cursor.fetchone()[0]
        cursor.execute(_COLUMNS, [sorted(names)])
        rows = cursor.fetchall()
    columns: dict[tuple[str, int], dict[str, Column]] = {}
    for name, oid, column, number, kind, modifier in rows:
        columns.setdefault((name, oid), {})[column] = Column(number, kind, modifier)
    return Schema({name: Table(name, oid, found) for (name, oid), found in columns.items()}, earlier, namespace)


_COLUMNS = """
SELECT c.relname, c.oid::bigint, a.attname, a.attnum, format_type(a.atttypid, NULL), a.atttypmod
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
ORDER BY c.oid, a.attnum"""


def changes(before: Schema, after: Schema) -> dict[str, list[str]]:
    """By kind, the names of its fields whose columns are other ones than before, so that their values may be: added,
    removed, or of another type. `images/%/caption` stands for the values of related rows.
    """
    found = {}
    for tracked in all_tracked():
        was, now = _identities(tracked, before), _identities(tracked, after)
        if names := [name for name in was if _may_differ(was[name], now[name])]:
            found[tracked.kind] = names
    return found


_Identity = tuple[int, Column] | None


def _identities(tracked: Tracked, schema: Schema) -> dict[str, tuple[_Identity, ...]]:
    found: dict[str, tuple[_Identity, ...]] = {
        name: (schema.identity(tracked.field(name)),) for name in (*tracked.fields, *tracked.texts)
    }
    for each in tracked.relations:
        columns = (each.owner, each.value, each.order, each.target)
        found[each.name] = tuple(schema.identity(column) for column in columns)
        found |= {f"{each.name}/%/{own.name}": (schema.identity(own),) for own in (*each.fields, *each.texts)}
    return found


_TEXT = ("character varying", "text")


def _may_differ(was: tuple[_Identity, ...], now: tuple[_Identity, ...]) -> bool:
    return any(one != two and not _is_wider(one, two) for one, two in zip(was, now, strict=True))


def _is_wider(was: _Identity, now: _Identity) -> bool:
    """Whether a column of texts has become one of longer texts: no value is another then."""
    if was is None or now is None or (was[0], was[1].number) != (now[0], now[1].number):
        return False
    is_text = was[1].type in _TEXT and now[1].type in _TEXT
    return is_text and (now[1].modifier == -1 or -1 < was[1].modifier <= now[1].modifier)


def tracked_in(schema: Schema) -> list[Tracked]:
    """What is tracked of each model, as far as the database has it."""
    return [present for each in all_tracked() if (present := _present(each, schema))]


def actors_in(schema: Schema) -> list[TrackedActor]:
    """The actors whose tables have all columns that are kept."""
    return [
        each
        for each in all_actors()
        if schema.has(primary_key_of(each.model), *(each.field(name) for name in each.columns))
    ]


def _present(tracked: Tracked, schema: Schema) -> Tracked | None:
    """Without the fields and relations that the database has not; None where it has not the table."""
    if not all(schema.has_table(each) for each in (tracked.model, *tracked.parents)):
        return None
    names = {name for name in (*tracked.fields, *tracked.texts) if schema.has(tracked.field(name))}
    labels = {
        name: label
        for name, label in tracked.labels.items()
        if name in names and schema.has(*_named(tracked.field(name), label))
    }
    relations = tuple(present for each in tracked.relations if (present := _present_relation(each, schema)))
    return replace(
        tracked,
        fields=_among(names, tracked.fields),
        texts=_among(names, tracked.texts),
        labels=labels,
        relations=relations,
    )


def _among(names: set[str], wanted: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in wanted if name in names)


def _named(reference: "ColumnField", label: str) -> tuple["ColumnField", "ColumnField"]:
    other = related_model(reference)
    return referred_field(reference), other._meta.get_field(label)  # type: ignore[return-value]


def _present_relation(relation: RelationTable, schema: Schema) -> RelationTable | None:
    if not schema.has(relation.owner, relation.target, relation.value):
        return None
    has_label = relation.label and relation.label_key and schema.has(relation.label, relation.label_key)
    return replace(
        relation,
        order=relation.order if schema.has(relation.order) else relation.value,
        label=relation.label if has_label else None,
        label_key=relation.label_key if has_label else None,
        fields=tuple(each for each in relation.fields if schema.has(each)),
        texts=tuple(each for each in relation.texts if schema.has(each)),
    )


def _models() -> set[type[models.Model]]:
    """The models whose tables capture reads."""
    found: set[type[models.Model]] = {each.model for each in all_actors()}
    for tracked in all_tracked():
        found.update((tracked.model, *tracked.parents))
        found.update(related_model(tracked.field(name)) for name in tracked.labels)
        for relation in tracked.relations:
            found.add(relation.row)
            found.update({each.model for each in (relation.label,) if each})
    return found
