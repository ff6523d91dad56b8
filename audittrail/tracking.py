"""Which models are tracked, and what of them.  One call of `track` plugs a model in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    ColumnField = models.Field[object, object]


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows that belong to an article: a many-to-many field, or the reverse name of a foreign key to it.

    value: for a foreign key, the field of the related row whose identity is recorded (default: the row itself).
    order: the field that orders them (default: by identity).
    label: the field of the recorded object that names it for people (default: its identity).
    """

    name: str
    value: str | None = None
    order: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class RelationTable:
    """Where the database holds a relation: all columns belong to `table`, `label_*` to the named object's."""

    name: str
    table: str
    owner_column: str
    value_column: str
    order_column: str
    label_table: str | None
    label_key: str | None
    label_column: str | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is recorded of a model."""

    kind: str
    model: type[models.Model]
    fields: tuple[str, ...]
    texts: tuple[str, ...]
    relations: tuple[RelationTable, ...]
    labels: dict[str, str]
    title: str
    status: str | None
    published: frozenset[str]
    masked: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """All tracked names, as they appear in events."""
        return (*self.fields, *self.texts, *(relation.name for relation in self.relations))

    def field(self, name: str) -> "ColumnField":
        """The model's field of a tracked scalar or text."""
        return column_field(self.model, name)


@dataclass(frozen=True, slots=True)
class TrackedActor:
    """A model whose rows act: each change of these columns appends an ActorVersion."""

    kind: str
    model: type[models.Model]
    name: str
    byline: str | None
    role: str | None
    desk: str | None


_tracked: dict[str, Tracked] = {}
_actors: dict[str, TrackedActor] = {}


def track(
    model: type[models.Model],
    *,
    fields: Iterable[str],
    texts: Iterable[str] = (),
    relations: Iterable[Relation] = (),
    labels: dict[str, str] | None = None,
    title: str,
    status: str | None = None,
    published: Iterable[str] = (),
    masked: Iterable[str] = (),
) -> None:
    """Record every change of `model`, by whatever makes it.

    fields: columns kept as short values; texts: long texts, kept as edit scripts; relations: rows that belong to it;
    labels: for a tracked foreign key, the column of the other model that names it for people; title: the field that
    names an article for people; status and published: the field and those of its values in which the public sees the
    article; masked: fields of which events show only that they changed.

    Raises ImproperlyConfigured naming the field that does not exist or does not fit.
    """
    kind = kind_of(model)
    fields, texts, masked = tuple(fields), tuple(texts), frozenset(masked)
    for name in (*fields, *texts):
        column_field(model, name)
    _require(title in fields, kind, "title", title, "fields")
    _require(status is None or status in fields, kind, "status", status, "fields")
    for name in masked:
        _require(name in fields, kind, "masked", name, "fields (long texts cannot be masked)")
    for name, label in (labels or {}).items():
        is_foreign_key = name in fields and column_field(model, name).is_relation
        _require(is_foreign_key, kind, "labels", name, "the foreign keys in fields")
        column_field(related_model(column_field(model, name)), label)
    tables = tuple(_relation_table(model, relation) for relation in relations)
    _tracked[kind] = Tracked(
        kind, model, fields, texts, tables, labels or {}, title, status, frozenset(published), masked
    )


def track_actor(
    model: type[models.Model], *, name: str, byline: str | None = None, role: str | None = None, desk: str | None = None
) -> None:
    """Keep every version of the people who act, so that an event can say who they were at the time."""
    for field in filter(None, (name, byline, role, desk)):
        column_field(model, field)
    _actors[kind_of(model)] = TrackedActor(kind_of(model), model, name, byline, role, desk)


def kind_of(model: type[models.Model] | models.Model) -> str:
    """`app.model`, the first part of an article's identity."""
    return model._meta.label_lower


def article_id(instance: models.Model) -> str:
    """The identity of a tracked object, e.g. `newsroom.article:42`."""
    return f"{kind_of(instance)}:{instance.pk}"


def tracked(kind: str) -> Tracked | None:
    """What is recorded of `kind`, or None for one that only an outside CMS knows."""
    return _tracked.get(kind)


def all_tracked() -> list[Tracked]:
    return sorted(_tracked.values(), key=lambda each: each.kind)


def all_actors() -> list[TrackedActor]:
    return sorted(_actors.values(), key=lambda each: each.kind)


def _require(holds: bool, kind: str, argument: str, value: str | None, where: str) -> None:
    if not holds:
        raise ImproperlyConfigured(
            f"track({kind}): {argument}={value!r} is not among {where}. Add it there or correct it."
        )


def column_field(model: type[models.Model], name: str) -> "ColumnField":
    """The field of a model that is a column of its table.  Raises ImproperlyConfigured."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): the model has no field {name!r}. Correct its name."
        ) from None
    if not isinstance(field, models.Field) or not field.column:
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): {name!r} is no column of its table. Track it as a Relation."
        )
    return field


def column_name(field: "ColumnField") -> str:
    """The name of a field's column.  Raises ImproperlyConfigured."""
    if field.column is None:
        raise ImproperlyConfigured(f"{field} is no column of its table.")
    return field.column


def primary_key_of(model: type[models.Model]) -> "ColumnField":
    """The primary key of a model, one column.  Raises ImproperlyConfigured."""
    if model._meta.pk is None:
        raise ImproperlyConfigured(f"{kind_of(model)} has no primary key.")
    return column_field(model, model._meta.pk.name)


def related_model(field: "ColumnField") -> type[models.Model]:
    """The model that a foreign key refers to.  Raises ImproperlyConfigured."""
    if not isinstance(field.related_model, type):
        raise ImproperlyConfigured(f"{field} refers to no model.")
    return field.related_model


def _relation_table(model: type[models.Model], relation: Relation) -> RelationTable:
    try:
        field = model._meta.get_field(relation.name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): there is no relation {relation.name!r}. Correct its name."
        ) from None
    if isinstance(field, models.ManyToManyField) and (through := field.remote_field.through) is not None:
        owner = column_field(through, field.m2m_field_name())
        return _table(relation, through, owner, column_field(through, field.m2m_reverse_field_name()))
    if isinstance(field, models.ManyToOneRel) and field.one_to_many:
        row = field.related_model
        value = column_field(row, relation.value) if relation.value else primary_key_of(row)
        return _table(relation, row, field.field, value)
    raise ImproperlyConfigured(f"track({kind_of(model)}): {relation.name!r} is one column. Track it under fields.")


def _table(relation: Relation, row: type[models.Model], owner: "ColumnField", value: "ColumnField") -> RelationTable:
    named = related_model(value) if value.is_relation else row
    return RelationTable(
        name=relation.name,
        table=row._meta.db_table,
        owner_column=column_name(owner),
        value_column=column_name(value),
        order_column=column_name(column_field(row, relation.order)) if relation.order else column_name(value),
        label_table=named._meta.db_table if relation.label else None,
        label_key=column_name(primary_key_of(named)) if relation.label else None,
        label_column=column_name(column_field(named, relation.label)) if relation.label else None,
    )
