"""Which models are tracked, and what of them.  One call of `track` plugs a model in."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models


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
    """Where a relation lies in the database: all columns belong to `table`, `label_*` to the named object's."""

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
    """Record every change of `model`, whoever makes it.

    fields: columns kept as short values; texts: long texts, kept as edit scripts; relations: rows that belong to it;
    labels: for a tracked foreign key, the column of the other model that names it for people; title: the field that
    names an article for people; status and published: the field and those of its values in which the public sees the
    article; masked: fields of which only the fact of a change is told.

    Raises ImproperlyConfigured naming the field that does not exist or does not fit.
    """
    kind = kind_of(model)
    fields, texts, masked = tuple(fields), tuple(texts), frozenset(masked)
    for name in (*fields, *texts):
        _column(model, name)
    _require(title in fields, kind, "title", title, "fields")
    _require(status is None or status in fields, kind, "status", status, "fields")
    for name in masked:
        _require(name in fields, kind, "masked", name, "fields (long texts cannot be masked)")
    for name, label in (labels or {}).items():
        _require(
            name in fields and model._meta.get_field(name).is_relation,
            kind,
            "labels",
            name,
            "the foreign keys in fields",
        )
        _column(model._meta.get_field(name).related_model, label)
    tables = tuple(_relation_table(model, relation) for relation in relations)
    _tracked[kind] = Tracked(
        kind, model, fields, texts, tables, labels or {}, title, status, frozenset(published), masked
    )


def track_actor(
    model, *, name: str, byline: str | None = None, role: str | None = None, desk: str | None = None
) -> None:
    """Keep every version of the people who act, so that an event can say who they were at the time."""
    for field in filter(None, (name, byline, role, desk)):
        _column(model, field)
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


def _require(holds: bool, kind: str, argument: str, value, where: str) -> None:
    if not holds:
        raise ImproperlyConfigured(
            f"track({kind}): {argument}={value!r} is not among {where}. Add it there or correct it."
        )


def _column(model, name: str) -> str:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): the model has no field {name!r}. Correct its name."
        ) from None
    if not getattr(field, "column", None):
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): {name!r} is no column of its table. Track it as a Relation."
        )
    return field.column


def _relation_table(model, relation: Relation) -> RelationTable:
    try:
        field = model._meta.get_field(relation.name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({kind_of(model)}): there is no relation {relation.name!r}. Correct its name."
        ) from None
    if field.many_to_many:
        return _many_to_many(field, relation)
    if field.one_to_many:
        return _one_to_many(field, relation)
    raise ImproperlyConfigured(f"track({kind_of(model)}): {relation.name!r} is one column. Track it under fields.")


def _many_to_many(field, relation: Relation) -> RelationTable:
    through = field.remote_field.through
    value = through._meta.get_field(field.m2m_reverse_field_name())
    owner = through._meta.get_field(field.m2m_field_name())
    return _table(relation, through, owner.column, value)


def _one_to_many(field, relation: Relation) -> RelationTable:
    row = field.related_model
    value = row._meta.get_field(relation.value) if relation.value else row._meta.pk
    return _table(relation, row, field.field.column, value)


def _table(relation: Relation, row, owner_column: str, value) -> RelationTable:
    named = value.related_model if value.is_relation else row
    return RelationTable(
        name=relation.name,
        table=row._meta.db_table,
        owner_column=owner_column,
        value_column=value.column,
        order_column=_column(row, relation.order) if relation.order else value.column,
        label_table=named._meta.db_table if relation.label else None,
        label_key=named._meta.pk.column if relation.label else None,
        label_column=_column(named, relation.label) if relation.label else None,
    )
