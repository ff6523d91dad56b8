"""The functions by which the fold reads articles of a kind: their state, their long texts, which fields have a role."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.db import models

from audittrail.capture.expressions import array, canonical, jsonb_object, literal, scalar
from audittrail.capture.names import function_name
from audittrail.capture.objects import Function
from audittrail.capture.schema import Schema
from audittrail.tracking import (
    RelationTable,
    Tracked,
    all_tracked,
    column_field,
    concrete,
    primary_key_of,
    referred_field,
    related_model,
)

if TYPE_CHECKING:
    from audittrail.tracking import ColumnField

TEXTS = "TABLE(object_pk text, text_fields text[], texts text[])"

_Choice = Callable[[str, str], str]
"""Of a name and a value, both expressions."""


def state_functions(tracked: Tracked, schema: Schema) -> list[Function]:
    """`audit_states_KIND(pks, fields)`: one row for each live article, without its long texts, of relations and labels
    those among the fields; `audit_texts_KIND(pks)`: the texts; `audit_read_KIND(pk, fields)`: one article, as far as
    these fields go.
    """
    rows = _Rows(tracked, schema)
    states = f"""
  SELECT {rows.pk}::text, {rows.scalars()}, {rows.relations()}, {rows.labels()}, NULL::text[], NULL::text[]
  {rows.tables} WHERE {rows.pk} = ANY ($1::{rows.pk_type}[]){rows.no_child}
"""
    texts = f"""
  SELECT {rows.pk}::text, {rows.text_fields()}, {rows.texts()}
  {rows.tables} WHERE {rows.pk} = ANY ($1::{rows.pk_type}[]){rows.no_child}
"""
    read = f"""
DECLARE
  live audit_state;
BEGIN
  SELECT {rows.pk}::text, {rows.scalars()}, '{{}}', '{{}}', {rows.text_fields("$2")}, {rows.texts("$2")} INTO live
  {rows.tables} WHERE {rows.pk} = $1::{rows.pk_type}{rows.no_child};
  IF live.object_pk IS NULL THEN RETURN live; END IF;
{rows.relations_and_labels_read()}
  RETURN live;
END """
    return [
        _of_kind("audit_states", tracked.kind, "text[], text[]", "SETOF audit_state", "sql", states),
        _of_kind("audit_texts", tracked.kind, "text[]", TEXTS, "sql", texts),
        _of_kind("audit_read", tracked.kind, "text, text[]", "audit_state", "plpgsql", read),
    ]


def _of_kind(prefix: str, kind: str, arguments: str, returns: str, language: str, body: str) -> Function:
    return Function(function_name(prefix, kind), arguments, returns, language, body, volatility="STABLE")


class _Rows:
    """The expressions that read an article: its row is `a`, those of its parents' tables are `p1`, `p2` …

    `pk`: its primary key in that row, and the type of it; `tables`: FROM; `no_child`: AND it is no part of a tracked
    child's article.
    """

    def __init__(self, tracked: Tracked, schema: Schema):
        self._tracked, self._schema = tracked, schema
        self.pk = schema.key_in_row(tracked.model, "a")
        self.pk_type = schema.type_of(primary_key_of(tracked.model))
        self._alias = {tracked.model: "a", **{parent: f"p{n}" for n, parent in enumerate(tracked.parents, 1)}}
        self.tables = f"FROM {self._table(tracked.model)} a" + "".join(
            f" JOIN {self._table(parent)} {alias} ON {schema.key_in_row(parent, alias)} = {self.pk}"
            for parent, alias in self._alias.items()
            if parent is not tracked.model
        )
        self.no_child = "".join(
            f" AND NOT EXISTS (SELECT FROM {self._table(child)} c WHERE {schema.key_in_row(child, 'c')} = {self.pk})"
            for child in self._tracked_children()
        )

    def scalars(self) -> str:
        own = jsonb_object(
            (name, scalar(self._tracked, name, self._row(name), self._schema)) for name in self._tracked.fields
        )
        return " || ".join([own, *(self._values(each) for each in self._tracked.relations if each.fields)])

    def relations(self) -> str:
        """Those among $2."""
        pairs = [(each.name, f"(SELECT {self._ids(each)} {self._owned(each)})") for each in self._tracked.relations]
        return _object_among_fields(pairs)

    def labels(self) -> str:
        """Those among $2."""
        pairs = [
            (each.name, f"(SELECT {self._names(each)} {self._owned(each, self._named_rows(each))})")
            for each in self._tracked.relations
            if each.label
        ]
        pairs += [(name, f"({self._name_of(name)})") for name in self._tracked.labels]
        return _object_among_fields(pairs)

    def text_fields(self, wanted: str | None = None) -> str:
        """An array of the names of its long texts, those among `wanted`."""
        own = [_among(wanted, literal(name), array([literal(name)])) for name in self._tracked.texts]
        return " || ".join(["'{}'::text[]", *own, *self._child_texts(lambda name, _: name, wanted)])

    def texts(self, wanted: str | None = None) -> str:
        """An array of its long texts, in the same order."""
        own = [_among(wanted, literal(name), array([f"{self._column(name)}::text"])) for name in self._tracked.texts]
        return " || ".join(["'{}'::text[]", *own, *self._child_texts(lambda _, value: value, wanted)])

    def relations_and_labels_read(self) -> str:
        """Statements that add to `live` those relations and labels that are among $2."""
        return "\n".join(
            [
                *(self._relation_read(each) for each in self._tracked.relations),
                *(self._label_read(name) for name in self._tracked.labels),
            ]
        )

    def _table(self, model: type[models.Model]) -> str:
        return self._schema.quoted_table(model)

    def _row(self, name: str) -> str:
        return self._alias[concrete(self._tracked.field(name).model)]

    def _column(self, name: str) -> str:
        return self._schema.in_row(self._tracked.field(name), self._row(name))

    def _tracked_children(self) -> list[type[models.Model]]:
        """Tracked models of which a row of this one may be a part: such an article is the child's."""
        tracked = [each.model for each in all_tracked() if self._schema.has_table(each.model)]
        return [model for model in tracked if self._tracked.model in model._meta.all_parents]

    def _owned(self, relation: RelationTable, rows: str | None = None) -> str:
        """FROM and WHERE of the rows of a relation, `r`."""
        target = self.pk if relation.target.primary_key else self._target(relation)
        rows = rows or f"{self._table(relation.row)} r"
        return f"FROM {rows} WHERE {self._schema.in_row(relation.owner, 'r')} = {target}"

    def _target(self, relation: RelationTable) -> str:
        """The column of the article that the rows of a relation refer to."""
        return self._schema.in_row(relation.target, self._alias[concrete(relation.target.model)])

    def _ids(self, relation: RelationTable) -> str:
        value, order = self._schema.in_row(relation.value, "r"), self._schema.in_row(relation.order, "r")
        return f"coalesce(jsonb_agg({value}::text ORDER BY {order}, {value}) FILTER (WHERE {value} IS NOT NULL), '[]')"

    def _names(self, relation: RelationTable) -> str:
        value = self._schema.in_row(relation.value, "r")
        name = f"{self._schema.in_row(relation.label, 'n')}::text" if relation.label else "NULL"
        return f"jsonb_object_agg({value}::text, {name}) FILTER (WHERE {value} IS NOT NULL)"

    def _named_rows(self, relation: RelationTable) -> str:
        """The rows of a relation with those that name what they record, `n`."""
        rows = f"{self._table(relation.row)} r"
        if relation.label is None or relation.label_key is None:
            return rows
        key, value = self._schema.in_row(relation.label_key, "n"), self._schema.in_row(relation.value, "r")
        return f"{rows} LEFT JOIN {self._table(concrete(relation.label.model))} n ON {key} = {value}"

    def _name_of(self, name: str) -> str:
        """SELECT of a jsonb of the key and the name of what a foreign key refers to."""
        field = self._tracked.field(name)
        other = related_model(field)
        key = self._schema.in_row(referred_field(field), "n")
        named = self._schema.in_row(column_field(other, self._tracked.labels[name]), "n")
        return (
            f"SELECT jsonb_build_object({key}::text, {named}::text) "
            f"FROM {self._table(other)} n WHERE {key} = {self._column(name)}"
        )

    def _label_read(self, name: str) -> str:
        named = f"(SELECT ({self._name_of(name)}) {self.tables} WHERE {self.pk} = $1::{self.pk_type})"
        return f"""  IF {literal(name)} = ANY ($2) THEN
    live.labels := live.labels || jsonb_strip_nulls({jsonb_object([(name, named)])});
  END IF;"""

    def _relation_read(self, relation: RelationTable) -> str:
        ids = jsonb_object([(relation.name, self._ids(relation))])
        names = f"jsonb_strip_nulls({jsonb_object([(relation.name, self._names(relation))])})" if relation.label else ""
        return f"""  IF {literal(relation.name)} = ANY ($2) THEN
    SELECT live.relations || {ids}, live.labels{f" || {names}" if names else ""} INTO live.relations, live.labels
    FROM {self._named_rows(relation)} WHERE {self._owned_by_key(relation)};
  END IF;"""

    def _owned_by_key(self, relation: RelationTable) -> str:
        """A condition for the rows of a relation to the article of key $1."""
        owner = self._schema.in_row(relation.owner, "r")
        if relation.target.primary_key:
            return f"{owner} = $1::{self.pk_type}"
        return f"{owner} = (SELECT {self._target(relation)} {self.tables} WHERE {self.pk} = $1::{self.pk_type})"

    def _values(self, relation: RelationTable) -> str:
        """A jsonb of the short values of a relation's rows."""
        pairs = [
            f"{child_name(relation, field, 'r', self._schema)}, {canonical(field, 'r', self._schema)}"
            for field in relation.fields
        ]
        parts = [f"coalesce(jsonb_object_agg({pair}), '{{}}')" for pair in pairs]
        return f"(SELECT {' || '.join(parts)} {self._owned(relation)})"

    def _child_texts(self, choose: _Choice, wanted: str | None) -> list[str]:
        """Arrays of the names, or of the values, of the long texts of related rows, in the same order."""
        found = []
        for relation in self._tracked.relations:
            key = self._schema.key_in_row(relation.row, "r")
            for field in relation.texts:
                name = child_name(relation, field, "r", self._schema)
                chosen = choose(name, f"{self._schema.in_row(field, 'r')}::text")
                among = f" AND {name} = ANY ({wanted})" if wanted else ""
                found.append(
                    f"coalesce((SELECT array_agg({chosen} ORDER BY {key}) {self._owned(relation)}{among}), '{{}}')"
                )
        return found


def child_name(relation: RelationTable, field: "ColumnField", row: str, schema: Schema) -> str:
    """The name in events of a value of a related row: `images/12/caption`."""
    key = schema.key_in_row(relation.row, row)
    return f"{literal(relation.name + '/')} || {key}::text || {literal('/' + field.name)}"


def _object_among_fields(pairs: Iterable[tuple[str, str]]) -> str:
    """A jsonb of those names that are among $2; what is null has no place in it."""
    chosen = [(name, f"CASE WHEN {literal(name)} = ANY ($2) THEN {value} END") for name, value in pairs]
    return f"jsonb_strip_nulls({jsonb_object(chosen)})"


def _among(wanted: str | None, name: str, found: str) -> str:
    """`found` where the name is among those wanted, or all are; else an empty array."""
    return f"CASE WHEN {name} = ANY ({wanted}) THEN {found} ELSE '{{}}' END" if wanted else found


def dispatch_functions(tracked: list[Tracked]) -> list[Function]:
    """The functions by which the fold asks a kind for its state, its texts, its title, its status and its fields.

    A kind that has no table, as a migration has removed it, has no articles; titles tell what they were called.
    """
    titles = {t.kind: literal(t.title) for t in all_tracked()}
    statuses = {t.kind: literal(t.status) for t in all_tracked() if t.status}
    fields = {t.kind: array(literal(name) for name in t.names) for t in tracked}
    kinds = [t.kind for t in tracked]
    query = "RETURN QUERY SELECT * FROM"
    return [
        _dispatch(
            kinds, "audit_states", "kind text, pks text[], fields text[]", "SETOF audit_state", query, "pks, fields"
        ),
        _dispatch(kinds, "audit_texts", "kind text, pks text[]", TEXTS, query, "pks"),
        _dispatch(kinds, "audit_read", "kind text, pk text, fields text[]", "audit_state", "RETURN", "pk, fields"),
        _choice("audit_title_field", "text", titles),
        _choice("audit_status_field", "text", statuses),
        _choice("audit_fields", "text[]", fields),
    ]


def _dispatch(kinds: list[str], name: str, arguments: str, returns: str, answer: str, passed: str) -> Function:
    done = " RETURN;" if "QUERY" in answer else ""
    branches = "\n  ".join(
        f"IF kind = {literal(kind)} THEN {answer} {function_name(name, kind)}({passed});{done} END IF;"
        for kind in kinds
    )
    body = f"""
BEGIN
  {branches}
  RETURN{"" if "QUERY" in answer else " NULL"};
END """
    return Function(name, arguments, returns, "plpgsql", body, volatility="STABLE")


def _choice(name: str, returns: str, values: dict[str, str]) -> Function:
    branches = " ".join(f"WHEN {literal(kind)} THEN {value}" for kind, value in values.items())
    body = f" SELECT {f'CASE kind {branches} END' if branches else f'NULL::{returns}'} "
    return Function(name, "kind text", returns, "sql", body, volatility="IMMUTABLE", parallel_safe=True)
