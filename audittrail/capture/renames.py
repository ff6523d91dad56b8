"""What migrations rename: tables and columns have earlier names until they run, kinds of articles would change."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import models
from django.db.migrations import AlterField, AlterModelTable, Migration, RenameField, RenameModel
from django.db.migrations.operations import SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState, StateApps

from audittrail import tracking
from audittrail.capture.schema import EarlierNames

TableNames = dict[str, str]
"""Name after an operation → name before."""

ColumnNames = dict[tuple[str, str], str]
"""Table and column, by their names after → the column's name before."""


@dataclass(frozen=True, slots=True)
class ModelRename:
    """`app.old` → `app.new`, small letters."""

    migration: str
    old: str
    new: str


def model_renames(migrations: Iterable[Migration]) -> list[ModelRename]:
    """The renames of models in these migrations."""
    return [
        ModelRename(str(migration), f"{label}.{each.old_name_lower}", f"{label}.{each.new_name_lower}")
        for migration in migrations
        for label in [migration.app_label]
        for each in _of_state(migration.operations)
        if isinstance(each, RenameModel)
    ]


def without_kind(renames: Iterable[ModelRename], captured: Iterable[str]) -> list[ModelRename]:
    """Those of tracked models whose articles would begin anew, as the kind was not kept.  captured: kinds of articles
    that the trail has.
    """
    tracked, had = {each.kind for each in tracking.all_tracked()}, set(captured)
    return [each for each in renames if each.new in tracked and each.old in had and each.old not in tracked]


def earlier_names(state: ProjectState, migrations: Iterable[Migration]) -> EarlierNames:
    """The names that what models now call otherwise had in the course of these migrations, which begin at `state`."""
    state = state.clone()
    tables: list[TableNames] = []
    columns: list[ColumnNames] = []
    for migration in migrations:
        for operation in _of_state(migration.operations):
            if not _renames(operation, migration.app_label, state):
                operation.state_forwards(migration.app_label, state)
                continue
            before = state.clone()
            operation.state_forwards(migration.app_label, state)
            # Models are made of copies: a state that has models is slow to change.
            changed_tables, changed_columns = _changed(before.apps, state.clone().apps, operation, migration.app_label)
            tables.append(changed_tables)
            columns.append(changed_columns)
    return EarlierNames(_table_lineages(tables), _column_lineages(tables, columns))


def _of_state(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _of_state(operation.state_operations)
        else:
            yield operation


def _renames(operation: Operation, label: str, state: ProjectState) -> bool:
    if isinstance(operation, AlterField):
        before = state.models[label, operation.model_name_lower].fields[operation.name]
        return _column(operation.name, before) != _column(operation.name, operation.field)
    return isinstance(operation, RenameModel | RenameField | AlterModelTable)


def _column(name: str, field: "models.Field[object, object]") -> str:
    return field.db_column or (f"{name}_id" if isinstance(field, models.ForeignKey) else name)


def _changed(before: StateApps, after: StateApps, operation: Operation, label: str) -> tuple[TableNames, ColumnNames]:
    tables: TableNames = {}
    columns: ColumnNames = {}
    for new in after.get_models(include_auto_created=False):
        old = _model_before(before, new, operation, label)
        if old is None:
            continue
        for old_model, new_model in [(old, new), *_through_tables(old, new, operation)]:
            table: str = new_model._meta.db_table
            if table != old_model._meta.db_table:
                tables[table] = old_model._meta.db_table
            for old_field, new_field in _fields(old_model, new_model, operation):
                if (now := str(new_field.column)) != (was := str(old_field.column)):
                    columns[table, now] = was
    return tables, columns


def _model_before(
    before: StateApps, model: type[models.Model], operation: Operation, label: str
) -> type[models.Model] | None:
    name = model._meta.model_name
    if isinstance(operation, RenameModel) and (model._meta.app_label, name) == (label, operation.new_name_lower):
        name = operation.old_name_lower
    try:
        return before.get_model(model._meta.app_label, name)
    except LookupError:
        return None


def _through_tables(
    old: type[models.Model], new: type[models.Model], operation: Operation
) -> Iterator[tuple[type[models.Model], type[models.Model]]]:
    """The tables that Django makes for a many-to-many field, before and after."""
    for field in new._meta.local_many_to_many:
        earlier = next((each for each in old._meta.local_many_to_many if each.name == _name(field, operation)), None)
        if earlier is None:
            continue
        was, through = earlier.remote_field.through, field.remote_field.through
        if was and through and was._meta.auto_created and through._meta.auto_created:
            yield was, through


def _fields(
    old: type[models.Model], new: type[models.Model], operation: Operation
) -> Iterator[tuple["models.Field[object, object]", "models.Field[object, object]"]]:
    """The columns of a model, before and after; those of a table for a many-to-many field in their order."""
    if new._meta.auto_created:
        yield from zip(old._meta.local_concrete_fields, new._meta.local_concrete_fields, strict=True)
        return
    earlier = {field.name: field for field in old._meta.local_concrete_fields}
    for field in new._meta.local_concrete_fields:
        if was := earlier.get(_name(field, operation)) or earlier.get(field.name):
            yield was, field


def _name(field: "models.Field[object, object]", operation: Operation) -> str:
    """The name that a field had before."""
    model = field.model._meta.model_name
    if isinstance(operation, RenameField) and (model, field.name) == (operation.model_name_lower, operation.new_name):
        return operation.old_name
    return field.name


def _table_lineages(changes: list[TableNames]) -> dict[str, tuple[str, ...]]:
    """By its last name, all that a table had before, newest first."""
    lineages: dict[str, tuple[str, ...]] = {}
    for change in changes:
        earlier = {new: (old, *lineages.get(old, ())) for new, old in change.items()}
        lineages = {name: names for name, names in lineages.items() if name not in change.values()} | earlier
    return lineages


def _column_lineages(tables: list[TableNames], columns: list[ColumnNames]) -> dict[tuple[str, str], tuple[str, ...]]:
    """By the last names of table and column, all that the column had before, newest first."""
    lineages: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for renamed, changed in zip(tables, columns, strict=True):
        lineages.update({new: lineages.pop(old) for new, old in renamed.items() if old in lineages})
        by_table: dict[str, dict[str, str]] = defaultdict(dict)
        for (table, new), old in changed.items():
            by_table[table][new] = old
        for table, change in by_table.items():
            known = lineages[table]
            earlier = {new: (old, *known.get(old, ())) for new, old in change.items()}
            kept = {name: names for name, names in known.items() if name not in change.values()}
            lineages[table] = kept | earlier
    return {(table, column): names for table, found in lineages.items() for column, names in found.items()}
