"""Which models are tracked, and what of them.  One call of `track` plugs a model in."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models

Value = TypeVar("Value")

if TYPE_CHECKING:
    ColumnField = models.Field[object, object]


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows that belong to an article: a many-to-many field, or the reverse name of a foreign key to it.

    value: for a foreign key, the field of the related row whose identity is recorded (default: the row itself); a row
    in which it is null is not recorded.
    order: the field that orders them (default: by identity).
    label: the field of the recorded object that names it for people (default: its identity).
    fields, texts: columns of the related row that are the article's own, short values and long texts. In events they
    are named by the row, as in `images/12/caption`.
    """

    name: str
    value: str | None = None
    order: str | None = None
    label: str | None = None
    fields: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelationTable:
    """Where the database holds a relation.

    `owner`, `value`, `order`, `fields` and `texts` are of the related rows, whose model is `row`; `owner` refers to
    `target`, a field of the article. `label_key` and `label` are of the recorded object, None where there is no label.
    """

    name: str
    row: type[models.Model]
    owner: "ColumnField"
    target: "ColumnField"
    value: "ColumnField"
    order: "ColumnField"
    label_key: "ColumnField | None"
    label: "ColumnField | None"
    fields: tuple["ColumnField", ...]
    texts: tuple["ColumnField", ...]

    @property
    def has_values(self) -> bool:
        """Whether values of the related rows belong to the article."""
        return bool(self.fields or self.texts)


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is recorded of a model. `parents`: models of which it inherits tracked columns, whose tables hold them."""

    kind: str
    model: type[models.Model]
    parents: tuple[type[models.Model], ...]
    fields: tuple[str, ...]
    texts: tuple[str, ...]
    relations: tuple[RelationTable, ...]
    labels: dict[str, str]
    title: str
    status: str | None
    published: frozenset[str]
    publication: str | None
    masked: frozenset[str]
    view_permission: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All tracked names, as they appear in events; those of related rows' values have the row's key besides."""
        return (*self.fields, *self.texts, *(relation.name for relation in self.relations))

    def field(self, name: str) -> "ColumnField":
        """The model's field of a tracked scalar or text."""
        return column_field(self.model, name)

    def names_in(self, table: type[models.Model], names: Iterable[str]) -> list[str]:
        """Those of these fields whose column is in the table of `table`: of the model, or of a parent."""
        return [name for name in names if concrete(self.field(name).model) is table]


@dataclass(frozen=True, slots=True)
class TrackedActor:
    """A model whose rows act: each change of these columns appends an ActorVersion."""

    kind: str
    model: type[models.Model]
    name: str
    byline: str | None
    role: str | None
    desk: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that are kept."""
        return tuple(name for name in (self.name, self.byline, self.role, self.desk) if name)

    def field(self, name: str) -> "ColumnField":
        """The model's field of a column that is kept."""
        return column_field(self.model, name)


_NO_TEXTS = (
    models.BooleanField,
    models.DateField,
    models.TimeField,
    models.IntegerField,
    models.FloatField,
    models.DecimalField,
    models.UUIDField,
    models.BinaryField,
    models.ForeignKey,
)

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
    publication: str | None = None,
    masked: Iterable[str] = (),
    kind: str | None = None,
    view_permission: str | None = None,
) -> None:
    """Record every change of `model`, by whatever makes it.

    fields: columns kept as short values; texts: long texts, kept as edit scripts; relations: rows that belong to it;
    labels: for a tracked foreign key, the column of the other model that names it for people; title: the field that
    names an article for people; status and published: the field and those of its values in which the public sees the
    article; publication: the field that each publication sets anew, where an article that the public sees can be
    published again; masked: fields of which events show only that they changed; kind: the first part of the identity of
    its articles (default: `app.model`), to be kept when a model is renamed; view_permission: `app.codename` that a
    reader of the trail needs besides for this kind, which is then listed on request only.

    Columns that the model inherits from a parent with a table of its own are its own: model and parents are one
    article.  Raises ImproperlyConfigured naming the field that does not exist or does not fit.
    """
    model, kind = concrete(model), kind or concrete(model)._meta.label_lower
    fields, texts, masked = _listed(kind, "fields", fields), _listed(kind, "texts", texts), frozenset(masked)
    _require_own_kind(kind, model)
    _require_columns(kind, model, fields, texts)
    _require_roles(kind, fields, {"title": title, "status": status, "publication": publication}, masked)
    _require_labels(kind, model, fields, labels or {})
    tables = tuple(_relation_table(model, relation) for relation in _listed(kind, "relations", relations))
    _require_own_names(kind, (*fields, *texts, *(table.name for table in tables)))
    _tracked[kind] = Tracked(
        kind, model, _parents_with(model, (*fields, *texts)), fields, texts, tables, labels or {}, title, status,
        _published(kind, published, status), publication, masked, view_permission,
    )  # fmt: skip


def _listed(kind: str, argument: str, values: Iterable[Value]) -> tuple[Value, ...]:
    if isinstance(values, str | Relation):
        raise ImproperlyConfigured(f"track({kind}): {argument}={values!r} is one, not several. Write [{values!r}].")
    return tuple(values)


def _published(kind: str, values: Iterable[str], status: str | None) -> frozenset[str]:
    published = _listed(kind, "published", values)
    _require(bool(status or not published), kind, "published", ", ".join(published), "values of a status field")
    return frozenset(published)


def _require_own_kind(kind: str, model: type[models.Model]) -> None:
    """Two models of one kind would write one history; a model of two kinds, two."""
    _require_identity(model)
    if not re.fullmatch(r"[\w.-]{1,100}", kind):
        raise ImproperlyConfigured(
            f"track({kind}): kind={kind!r} is no name. Use up to 100 letters, digits, . _ and -."
        )
    if other := _tracked.get(kind):
        raise ImproperlyConfigured(
            f"track({model._meta.label}): the kind {kind!r} is that of {other.model._meta.label}. Track a model once, "
            f"and give {model._meta.label} a kind that no model ever had, such as "
            f"kind={f'{model._meta.label_lower}-2'!r}."
        )
    if other := next((each for each in _tracked.values() if each.model is model), None):
        raise ImproperlyConfigured(
            f"track({kind}): {model._meta.label} is tracked already, as {other.kind!r}. Remove one of the two calls."
        )


def _require_columns(kind: str, model: type[models.Model], fields: tuple[str, ...], texts: tuple[str, ...]) -> None:
    for name in (*fields, *texts):
        column_field(model, name)
    for name in texts:
        if isinstance(column_field(model, name), _NO_TEXTS):
            raise ImproperlyConfigured(f"track({kind}): texts={name!r} holds no text. Name it in fields.")
    for name in sorted(set(fields) & set(texts)):
        raise ImproperlyConfigured(f"track({kind}): {name!r} is among both fields and texts. Choose one.")


def _require_roles(kind: str, fields: tuple[str, ...], roles: Mapping[str, str | None], masked: Iterable[str]) -> None:
    for role, name in roles.items():
        _require(name is None or name in fields, kind, role, name, "fields")
    for name in masked:
        _require(name in fields, kind, "masked", name, "fields (long texts cannot be masked)")


def _require_labels(kind: str, model: type[models.Model], fields: tuple[str, ...], labels: Mapping[str, str]) -> None:
    for name, label in labels.items():
        is_foreign_key = name in fields and column_field(model, name).is_relation
        _require(is_foreign_key, kind, "labels", name, "the foreign keys in fields")
        column_field(related_model(column_field(model, name)), label)


def track_actor(
    model: type[models.Model], *, name: str, byline: str | None = None, role: str | None = None, desk: str | None = None
) -> None:
    """Keep every version of the people who act, so that an event can say who they were at the time."""
    for field in filter(None, (name, byline, role, desk)):
        holder = concrete(column_field(model, field).model)
        if holder is not concrete(model):
            raise ImproperlyConfigured(
                f"track_actor({model._meta.label_lower}): {field!r} is a column of {holder._meta.label}. "
                f"Track {holder._meta.label} as actors instead."
            )
    if other := _actors.get(kind_of(model)):
        raise ImproperlyConfigured(
            f"track_actor({model._meta.label_lower}): {other.model._meta.label} is tracked already. Remove one of the "
            "two calls."
        )
    _actors[kind_of(model)] = TrackedActor(kind_of(model), model, name, byline, role, desk)


def concrete(model: type[models.Model]) -> type[models.Model]:
    """The model whose table a model uses: itself, but for a proxy.  Raises ImproperlyConfigured for an abstract one."""
    if model._meta.concrete_model is None:
        raise ImproperlyConfigured(f"{model._meta.label} is abstract. Track the models that inherit from it.")
    return model._meta.concrete_model


def kind_of(model: type[models.Model] | models.Model) -> str:
    """The first part of an article's identity: that of the tracked model, of which this is an instance, a proxy or a
    child; otherwise `app.model`.
    """
    own = concrete(model if isinstance(model, type) else type(model))
    kinds = {each.model: each.kind for each in _tracked.values()}
    lineage = [own, *own._meta.all_parents]
    return next((kinds[each] for each in lineage if each in kinds), own._meta.label_lower)


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
    """The field of a model that is a column of its table or of a parent's.  Raises ImproperlyConfigured."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({model._meta.label_lower}): the model has no field {name!r}. Correct its name."
        ) from None
    if field.many_to_many or field.one_to_many or (field.auto_created and not field.concrete):
        raise ImproperlyConfigured(
            f"track({model._meta.label_lower}): {name!r} is no column of its table but other rows. "
            f"Track it as Relation({name!r})."
        )
    if not isinstance(field, models.Field) or not field.column:
        raise ImproperlyConfigured(
            f"track({model._meta.label_lower}): {name!r} is a {type(field).__name__}, made of several columns or of "
            "none. Track the fields that it is made of."
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


def referred_field(field: "ColumnField") -> "ColumnField":
    """The field of the other model that a foreign key refers to.  Raises ImproperlyConfigured."""
    if not isinstance(field, models.ForeignKey):
        raise ImproperlyConfigured(f"{field} refers to no field.")
    target: ColumnField = field.target_field
    return target


_IDENTITIES = (models.IntegerField, models.UUIDField, models.CharField, models.TextField, models.ForeignKey)
"""Fields whose values read the same in Python and in PostgreSQL."""


def _require_identity(model: type[models.Model]) -> None:
    key = model._meta.pk
    if isinstance(key, models.CompositePrimaryKey):
        raise ImproperlyConfigured(
            f"track({model._meta.label_lower}): its primary key has several columns. Give the model one of one column, "
            "for example id = models.BigAutoField(primary_key=True)."
        )
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    if not isinstance(key, _IDENTITIES):
        raise ImproperlyConfigured(
            f"track({model._meta.label_lower}): its primary key {key.name!r} is a {type(key).__name__}, which has no "
            "one text. Use a primary key of integers, UUIDs or texts."
        )


def _require_own_names(kind: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ImproperlyConfigured(f"track({kind}): {name!r} is named {count} times. Name it once.")


def _parents_with(model: type[models.Model], names: Iterable[str]) -> tuple[type[models.Model], ...]:
    """The parents whose tables hold some of these fields, each with the same primary key as the model."""
    owners = dict.fromkeys(concrete(column_field(model, name).model) for name in names)
    parents = [owner for owner in owners if owner is not model]
    for parent in parents:
        chain = [model, *model._meta.get_base_chain(parent)]
        for child, base in pairwise(chain):
            link = child._meta.parents[base]
            if link is None or not link.primary_key:
                raise ImproperlyConfigured(
                    f"track({model._meta.label_lower}): it inherits from {parent._meta.label} by a link that is not "
                    f"its primary key. Track {parent._meta.label} by itself, and leave its fields out here."
                )
    return tuple(parents)


def _relation_table(model: type[models.Model], relation: Relation) -> RelationTable:
    kind = model._meta.label_lower
    try:
        field = model._meta.get_field(relation.name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f"track({kind}): there is no relation {relation.name!r}. Correct its name."
        ) from None
    if isinstance(field, models.ManyToManyField) and (through := field.remote_field.through) is not None:
        owner = column_field(through, field.m2m_field_name())
        return _table(relation, through, owner, column_field(through, field.m2m_reverse_field_name()))
    if isinstance(field, models.ManyToManyRel) and (through := field.through) is not None:
        owner = column_field(through, field.field.m2m_reverse_field_name())
        return _table(relation, through, owner, column_field(through, field.field.m2m_field_name()))
    if isinstance(field, models.ManyToOneRel):
        row = field.related_model
        value = column_field(row, relation.value) if relation.value else primary_key_of(row)
        return _table(relation, row, field.field, value)
    if isinstance(field, models.Field) and field.column:
        raise ImproperlyConfigured(f"track({kind}): {relation.name!r} is one column. Track it under fields.")
    raise ImproperlyConfigured(
        f"track({kind}): {relation.name!r} is a {type(field).__name__}, whose rows do not refer to the article by a "
        "foreign key. Track the model of its rows by itself."
    )


def _table(relation: Relation, row: type[models.Model], owner: "ColumnField", value: "ColumnField") -> RelationTable:
    row = concrete(row)
    named = related_model(value) if value.is_relation else row
    own = tuple(column_field(row, name) for name in (*relation.fields, *relation.texts))
    order = column_field(row, relation.order) if relation.order else value
    for field in (owner, value, order, *own):
        if concrete(field.model) is not row:
            raise ImproperlyConfigured(
                f"Relation({relation.name!r}): {field.name!r} is in the table of {field.model._meta.label}, not of "
                f"{row._meta.label}. Relate and track {field.model._meta.label} instead."
            )
    return RelationTable(
        name=relation.name,
        row=row,
        owner=owner,
        target=referred_field(owner),
        value=value,
        order=order,
        label_key=(referred_field(value) if value.is_relation else primary_key_of(named)) if relation.label else None,
        label=column_field(named, relation.label) if relation.label else None,
        fields=own[: len(relation.fields)],
        texts=own[len(relation.fields) :],
    )
