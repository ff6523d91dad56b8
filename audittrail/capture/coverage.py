"""Tracked models that cannot be captured in this database, as they are: each is named, the others are installed."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture.differences import Difference, Kind
from audittrail.capture.expressions import quoted
from audittrail.capture.schema import Schema
from audittrail.tracking import Tracked, all_actors, all_tracked, column_name, primary_key_of

if TYPE_CHECKING:
    from audittrail.tracking import ColumnField

MIGRATE = "Run manage.py migrate."

_ELSEWHERE = """
SELECT c.relkind::text, n.nspname::text, n.oid = current_schema()::regnamespace
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND n.nspname NOT LIKE 'pg\\_%%'
ORDER BY 3 DESC LIMIT 1"""

_NO_TABLES = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def uncaptured(connection: BaseDatabaseWrapper, tables: Schema) -> list[Difference]:
    """What is tracked and has no table, or no column, that capture could watch."""
    found = {difference: None for model, fields in _needed() for difference in _of(connection, tables, model, fields)}
    return list(found)


def _needed() -> Iterator[tuple[type[models.Model], list["ColumnField"]]]:
    """Models with those of their columns that are tracked."""
    for tracked in all_tracked():
        yield from _of_article(tracked)
    for actor in all_actors():
        yield actor.model, [primary_key_of(actor.model), *(actor.field(name) for name in actor.columns)]


def _of_article(tracked: Tracked) -> Iterator[tuple[type[models.Model], list["ColumnField"]]]:
    for model in (tracked.model, *tracked.parents):
        names = tracked.names_in(model, (*tracked.fields, *tracked.texts))
        yield model, [primary_key_of(model), *(tracked.field(name) for name in names)]
    for relation in tracked.relations:
        yield relation.row, [relation.owner, relation.value, relation.order, *relation.fields, *relation.texts]


def _of(
    connection: BaseDatabaseWrapper, tables: Schema, model: type[models.Model], fields: Iterable["ColumnField"]
) -> Iterator[Difference]:
    subject = f"model {model._meta.label}"
    if not tables.has_table(model):
        problem, remedy = _absence(connection, tables, model)
        yield Difference(Kind.MODEL, subject, problem, remedy=remedy)
        return
    for field in fields:
        if not tables.has(field):
            absent = f"the table {tables.table(model)} has no column {column_name(field)}"
            yield Difference(
                Kind.MODEL, subject, f"is captured without {field.name}: {absent}", remedy=_creation(model)
            )


def _absence(connection: BaseDatabaseWrapper, tables: Schema, model: type[models.Model]) -> tuple[str, str]:
    """Why a model has no table here, and what mends it."""
    name = model._meta.db_table
    if not router.allow_migrate_model(connection.alias, model):
        return "is kept in another database, where changes cannot be captured", "Take its track() out."
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, [name])
        row = cursor.fetchone()
    if row is None:
        return f"is not captured: there is no table {name}", _creation(model)
    kind, schema, is_here = row
    if is_here:
        remedy = "Track the model of the tables whose rows it shows, or take its track() out."
        return f"is not captured: {name} is {_NO_TABLES[kind]}, whose rows change elsewhere", remedy
    move = f"ALTER TABLE {quoted(schema)}.{quoted(name)} SET SCHEMA {quoted(tables.namespace)};"
    return (
        f"is not captured: {name} is in schema {schema}, not in {tables.namespace}",
        f"{move} then run manage.py install_capture.",
    )


def _creation(model: type[models.Model]) -> str:
    if model._meta.managed:
        return MIGRATE
    return "Its table is not managed by Django: create or alter it, then run manage.py install_capture."
