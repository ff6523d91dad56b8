"""The functions by which the fold reads articles of a kind: their state, their long texts, which fields have a role."""

from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture.expressions import (
    array,
    identifier,
    literal,
    primary_key_column,
    quoted,
    scalars,
    tracked_column,
)
from audittrail.tracking import (
    RelationTable,
    Tracked,
    all_tracked,
    column_field,
    column_name,
    primary_key_of,
    related_model,
)

STATE = "TABLE (object_pk text, scalars jsonb, relations jsonb, labels jsonb)"
TEXTS = "TABLE (object_pk text, texts text[])"


def state_functions(tracked: Tracked, connection: BaseDatabaseWrapper) -> str:
    """`audit_state_KIND(pks)`: one row for each live article, as the fold compares it; `audit_texts_KIND(pks)`: its
    long texts.
    """
    pk, key = primary_key_column(tracked.model), primary_key_of(tracked.model)
    joins = [_relation_join(relation, pk) for relation in tracked.relations]
    joins += [_label_join(tracked, name, label) for name, label in tracked.labels.items()]
    relations = ", ".join(f"{literal(r.name)}, {quoted('r_' + r.name)}.ids" for r in tracked.relations)
    labels = [f"{literal(r.name)}, {quoted('r_' + r.name)}.labels" for r in tracked.relations]
    labels += [f"{literal(name)}, {quoted('l_' + name)}.labels" for name in tracked.labels]
    texts = array(f"a.{tracked_column(tracked, name)}::text" for name in tracked.texts)
    table = f"FROM {quoted(tracked.model._meta.db_table)} a"
    where = f"WHERE a.{pk} = ANY (pks::{key.rel_db_type(connection)}[])"
    kind = identifier(tracked.kind)
    return f"""
CREATE OR REPLACE FUNCTION audit_state_{kind}(pks text[]) RETURNS {STATE} LANGUAGE sql STABLE AS $$
  SELECT a.{pk}::text, {scalars(tracked, "a")}, jsonb_build_object({relations}),
         jsonb_strip_nulls(jsonb_build_object({", ".join(labels)}))
  {table} {chr(10).join(joins)} {where}
$$;
CREATE OR REPLACE FUNCTION audit_texts_{kind}(pks text[]) RETURNS {TEXTS} LANGUAGE sql STABLE AS $$
  SELECT a.{pk}::text, {texts} {table}  {where}
$$;"""


def _relation_join(relation: RelationTable, pk: str) -> str:
    column = f"r.{quoted(relation.value_column)}"
    value = f"{column}::text"
    order = f"r.{quoted(relation.order_column)}, {column}"
    named, labels = "", "NULL::jsonb"
    if relation.label_table and relation.label_key and relation.label_column:
        named = f"LEFT JOIN {quoted(relation.label_table)} n ON n.{quoted(relation.label_key)} = {column}"
        labels = f"jsonb_object_agg({value}, n.{quoted(relation.label_column)}::text)"
    return f"""CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg({value} ORDER BY {order}), '[]') AS ids, {labels} AS labels
    FROM {quoted(relation.table)} r {named}
    WHERE r.{quoted(relation.owner_column)} = a.{pk}) {quoted("r_" + relation.name)}"""


def _label_join(tracked: Tracked, name: str, label: str) -> str:
    other = related_model(tracked.field(name))
    key, named = primary_key_column(other), quoted(column_name(column_field(other, label)))
    return f"""
  LEFT JOIN LATERAL (
    SELECT jsonb_build_object(n.{key}::text, n.{named}::text) AS labels
    FROM {quoted(other._meta.db_table)} n
    WHERE n.{key} = a.{tracked_column(tracked, name)}) {quoted("l_" + name)} ON true"""


def dispatch_functions() -> str:
    """The functions by which the fold asks a kind for its state, its texts, its title and its status."""
    tracked = all_tracked()
    titles = {t.kind: literal(t.title) for t in tracked}
    statuses = {t.kind: literal(t.status) for t in tracked if t.status}
    texts = {t.kind: array(literal(name) for name in t.texts) for t in tracked}
    return "".join(
        [
            _dispatch("audit_state", STATE),
            _dispatch("audit_texts", TEXTS),
            _choice("audit_title_field", "text", titles),
            _choice("audit_status_field", "text", statuses),
            _choice("audit_text_fields", "text[]", texts),
        ]
    )


def _dispatch(function: str, returns: str) -> str:
    branches = "\n  ".join(
        f"IF kind = {literal(each.kind)} THEN"
        f" RETURN QUERY SELECT * FROM {function}_{identifier(each.kind)}(pks); RETURN; END IF;"
        for each in all_tracked()
    )
    return f"""
CREATE OR REPLACE FUNCTION {function}(kind text, pks text[]) RETURNS {returns} LANGUAGE plpgsql STABLE AS $$
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
