"""The functions by which the fold reads articles of a kind: their state, their long texts, which fields have a role."""

from collections.abc import Callable

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture.expressions import (
    array,
    canonical,
    column_of,
    identifier,
    jsonb_object,
    literal,
    primary_key_column,
    quoted,
    scalar,
)
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

_Choice = Callable[[str, str], str]

TEXTS = "TABLE (object_pk text, text_fields text[], texts text[])"


def state_functions(tracked: Tracked, connection: BaseDatabaseWrapper) -> str:
    """`audit_states_KIND(pks)`: one row for each live article, without its long texts; `audit_texts_KIND(pks)`: those;
    `audit_read_KIND(pk, fields)`: one article, as far as these fields go.
    """
    kind, rows = identifier(tracked.kind), _Rows(tracked, connection)
    return f"""
CREATE OR REPLACE FUNCTION audit_states_{kind}(text[]) RETURNS SETOF audit_state LANGUAGE sql STABLE AS $$
  SELECT a.{rows.pk}::text, {rows.scalars()}, {rows.relations()}, {rows.labels()}, NULL::text[], NULL::text[]
  {rows.tables} WHERE a.{rows.pk} = ANY ($1::{rows.pk_type}[]){rows.no_child}
$$;
CREATE OR REPLACE FUNCTION audit_texts_{kind}(text[]) RETURNS {TEXTS} LANGUAGE sql STABLE AS $$
  SELECT a.{rows.pk}::text, {rows.text_fields()}, {rows.texts()}
  {rows.tables} WHERE a.{rows.pk} = ANY ($1::{rows.pk_type}[]){rows.no_child}
$$;
CREATE OR REPLACE FUNCTION audit_read_{kind}(text, text[]) RETURNS audit_state LANGUAGE plpgsql STABLE AS $$
DECLARE
  live audit_state;
BEGIN
  SELECT a.{rows.pk}::text, {rows.scalars()}, '{{}}', '{{}}', {rows.text_fields("$2")}, {rows.texts("$2")} INTO live
  {rows.tables} WHERE a.{rows.pk} = $1::{rows.pk_type}{rows.no_child};
  IF live.object_pk IS NULL THEN RETURN live; END IF;
{rows.relations_and_labels_read()}
  RETURN live;
END $$;"""


class _Rows:
    """The expressions that read an article: its row is `a`, those of its parents' tables are `p1`, `p2` …"""

    def __init__(self, tracked: Tracked, connection: BaseDatabaseWrapper):
        self._tracked, self._connection = tracked, connection
        self.pk = primary_key_column(tracked.model)
        self.pk_type = primary_key_of(tracked.model).rel_db_type(connection)
        self._alias = {tracked.model: "a", **{parent: f"p{n}" for n, parent in enumerate(tracked.parents, 1)}}
        self.tables = f"FROM {_table(tracked.model)} a" + "".join(
            f" JOIN {_table(parent)} {alias} ON {alias}.{primary_key_column(parent)} = a.{self.pk}"
            for parent, alias in self._alias.items()
            if parent is not tracked.model
        )
        self.no_child = "".join(
            f" AND NOT EXISTS (SELECT FROM {_table(child)} c WHERE c.{primary_key_column(child)} = a.{self.pk})"
            for child in _tracked_children(tracked)
        )

    def scalars(self) -> str:
        pairs = [
            (name, scalar(self._tracked, name, self._row(name), self._connection)) for name in self._tracked.fields
        ]
        parts = [jsonb_object(pairs), *(self._values(each) for each in self._tracked.relations if each.fields)]
        return " || ".join(parts)

    def relations(self) -> str:
        return jsonb_object((each.name, f"({self._identities(each)})") for each in self._tracked.relations)

    def labels(self) -> str:
        pairs = [(each.name, f"({self._names(each)})") for each in self._tracked.relations if each.label]
        pairs += [(name, f"({self._name_of(name)})") for name in self._tracked.labels]
        return f"jsonb_strip_nulls({jsonb_object(pairs)})"

    def text_fields(self, wanted: str | None = None) -> str:
        own = [
            f"{_chosen(literal(name), wanted)}{array([literal(name)])}{_or_none(wanted)}"
            for name in self._tracked.texts
        ]
        return " || ".join(["'{}'::text[]", *own, *self._child_texts(lambda name, _: name, wanted)])

    def texts(self, wanted: str | None = None) -> str:
        own = [
            f"{_chosen(literal(name), wanted)}"
            f"{array([column_of(self._tracked.field(name), self._row(name)) + '::text'])}{_or_none(wanted)}"
            for name in self._tracked.texts
        ]
        return " || ".join(["'{}'::text[]", *own, *self._child_texts(lambda _, value: value, wanted)])

    def relations_and_labels_read(self) -> str:
        """Statements that add to `live` those relations and labels that are among $2."""
        parts = [self._relation_read(each) for each in self._tracked.relations]
        parts += [
            f"  IF {literal(name)} = ANY ($2) THEN\n"
            f"    live.labels := live.labels || jsonb_strip_nulls({jsonb_object([(name, self._name_read(name))])});\n"
            "  END IF;"
            for name in self._tracked.labels
        ]
        return "\n".join(parts)

    def _row(self, name: str) -> str:
        return self._alias[concrete(self._tracked.field(name).model)]

    def _owned(self, relation: RelationTable, rows: str) -> str:
        """FROM and WHERE of the rows of a relation."""
        target = "a." + self.pk if relation.target.primary_key else column_of(relation.target, self._target(relation))
        return f"FROM {rows} WHERE {column_of(relation.owner, 'r')} = {target}"

    def _target(self, relation: RelationTable) -> str:
        return self._alias[concrete(relation.target.model)]

    def _identities(self, relation: RelationTable) -> str:
        return f"SELECT {_ids(relation)} {self._owned(relation, _table(relation.row) + ' r')}"

    def _names(self, relation: RelationTable) -> str:
        return f"SELECT {_id_names(relation)} {self._owned(relation, _named_rows(relation))}"

    def _name_of(self, name: str) -> str:
        field = self._tracked.field(name)
        other = related_model(field)
        named, key = column_field(other, self._tracked.labels[name]), referred_field(field)
        return (
            f"SELECT jsonb_build_object({column_of(key, 'n')}::text, {column_of(named, 'n')}::text) "
            f"FROM {_table(other)} n WHERE {column_of(key, 'n')} = {column_of(field, self._row(name))}"
        )

    def _name_read(self, name: str) -> str:
        return f"(SELECT ({self._name_of(name)}) {self.tables} WHERE a.{self.pk} = $1::{self.pk_type})"

    def _relation_read(self, relation: RelationTable) -> str:
        owned = self._owned_by_key(relation)
        name = literal(relation.name)
        labels = (
            f"\n    live.labels := live.labels || jsonb_strip_nulls(jsonb_build_object({name}, "
            f"(SELECT {_id_names(relation)} FROM {_named_rows(relation)} WHERE {owned})));"
            if relation.label
            else ""
        )
        return f"""  IF {name} = ANY ($2) THEN
    live.relations := live.relations || jsonb_build_object({name}, (
      SELECT {_ids(relation)} FROM {_table(relation.row)} r WHERE {owned}));{labels}
  END IF;"""

    def _owned_by_key(self, relation: RelationTable) -> str:
        owner = column_of(relation.owner, "r")
        if relation.target.primary_key:
            return f"{owner} = $1::{self.pk_type}"
        target = column_of(relation.target, self._target(relation))
        return f"{owner} = (SELECT {target} {self.tables} WHERE a.{self.pk} = $1::{self.pk_type})"

    def _values(self, relation: RelationTable) -> str:
        """A jsonb of the short values of a relation's rows."""
        pairs = [
            f"{child_name(relation, field, 'r')}, {canonical(field, 'r', self._connection)}"
            for field in relation.fields
        ]
        parts = [f"coalesce(jsonb_object_agg({pair}), '{{}}')" for pair in pairs]
        return f"(SELECT {' || '.join(parts)} {self._owned(relation, _table(relation.row) + ' r')})"

    def _child_texts(self, choose: _Choice, wanted: str | None) -> list[str]:
        """Arrays of the names, or of the values, of the long texts of related rows, in the same order."""
        found = []
        for relation in self._tracked.relations:
            key = column_of(primary_key_of(relation.row), "r")
            for field in relation.texts:
                name = child_name(relation, field, "r")
                among = f" AND {name} = ANY ({wanted})" if wanted else ""
                chosen = choose(name, f"{column_of(field, 'r')}::text")
                owned = self._owned(relation, _table(relation.row) + " r")
                found.append(f"coalesce((SELECT array_agg({chosen} ORDER BY {key}) {owned}{among}), '{{}}')")
        return found


def child_name(relation: RelationTable, field: "models.Field[object, object]", row: str) -> str:
    """The name in events of a value of a related row: `images/12/caption`."""
    key = column_of(primary_key_of(relation.row), row)
    return f"{literal(relation.name + '/')} || {key}::text || {literal('/' + field.name)}"


def _table(model: type[models.Model]) -> str:
    return quoted(model._meta.db_table)


def _tracked_children(tracked: Tracked) -> list[type[models.Model]]:
    """Tracked models of which a row of this one may be a part: such an article is the child's."""
    return [each.model for each in all_tracked() if tracked.model in each.model._meta.all_parents]


def _ids(relation: RelationTable) -> str:
    value = column_of(relation.value, "r")
    return (
        f"coalesce(jsonb_agg({value}::text ORDER BY {column_of(relation.order, 'r')}, {value}) "
        f"FILTER (WHERE {value} IS NOT NULL), '[]')"
    )


def _id_names(relation: RelationTable) -> str:
    value = column_of(relation.value, "r")
    name = f"{column_of(relation.label, 'n')}::text" if relation.label else "NULL"
    return f"jsonb_object_agg({value}::text, {name}) FILTER (WHERE {value} IS NOT NULL)"


def _named_rows(relation: RelationTable) -> str:
    """The rows of a relation with those that name what they record."""
    if relation.label is None or relation.label_key is None:
        return f"{_table(relation.row)} r"
    key, value = column_of(relation.label_key, "n"), column_of(relation.value, "r")
    return f"{_table(relation.row)} r LEFT JOIN {_table(concrete(relation.label.model))} n ON {key} = {value}"


def _chosen(name: str, wanted: str | None) -> str:
    return f"CASE WHEN {name} = ANY ({wanted}) THEN " if wanted else ""


def _or_none(wanted: str | None) -> str:
    return " ELSE '{}' END" if wanted else ""


def dispatch_functions() -> str:
    """The functions by which the fold asks a kind for its state, its texts, its title, its status and its fields."""
    tracked = all_tracked()
    titles = {t.kind: literal(t.title) for t in tracked}
    statuses = {t.kind: literal(t.status) for t in tracked if t.status}
    fields = {t.kind: array(literal(name) for name in t.names) for t in tracked}
    return "".join(
        [
            _dispatch(
                "audit_states", "kind text, pks text[]", "SETOF audit_state", "RETURN QUERY SELECT * FROM", "pks"
            ),
            _dispatch("audit_texts", "kind text, pks text[]", TEXTS, "RETURN QUERY SELECT * FROM", "pks"),
            _dispatch("audit_read", "kind text, pk text, fields text[]", "audit_state", "RETURN", "pk, fields"),
            _choice("audit_title_field", "text", titles),
            _choice("audit_status_field", "text", statuses),
            _choice("audit_fields", "text[]", fields),
        ]
    )


def _dispatch(function: str, parameters: str, returns: str, answer: str, arguments: str) -> str:
    done = " RETURN;" if "QUERY" in answer else ""
    branches = "\n  ".join(
        f"IF kind = {literal(each.kind)} THEN {answer} {function}_{identifier(each.kind)}({arguments});{done} END IF;"
        for each in all_tracked()
    )
    return f"""
CREATE OR REPLACE FUNCTION {function}({parameters}) RETURNS {returns} LANGUAGE plpgsql STABLE AS $$
BEGIN
  {branches}
  RAISE EXCEPTION 'the audit trail tracks no %', kind USING HINT = 'Track its model, then run manage.py migrate.';
END $$;"""


def _choice(function: str, returns: str, values: dict[str, str]) -> str:
    branches = " ".join(f"WHEN {literal(kind)} THEN {value}" for kind, value in values.items())
    body = f"CASE kind {branches} END" if branches else f"NULL::{returns}"
    return f"""
CREATE OR REPLACE FUNCTION {function}(kind text) RETURNS {returns}
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {body} $$;"""
