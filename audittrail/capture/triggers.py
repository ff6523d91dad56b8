"""The SQL that differs from model to model: its triggers, and the query that reads an article's tracked state."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.tracking import (
    RelationTable,
    Tracked,
    TrackedActor,
    all_tracked,
    column_field,
    column_name,
    primary_key_of,
    related_model,
)

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


def _column(tracked: Tracked, name: str) -> str:
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
    texts = array(f"a.{_column(tracked, name)}::text" for name in tracked.texts)
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
    FROM {quoted(other._meta.db_table)} n WHERE n.{key} = a.{_column(tracked, name)}) {quoted("l_" + name)} ON true"""


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


def _trigger_function(name: str, body: str, schema: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = {quoted(schema)}, pg_temp AS $$
BEGIN
{body}
  RETURN NULL;
END $$;"""


def _triggers(table: str, function: str, columns: Iterable[str]) -> str:
    """Triggers by which a table calls a function; after an update, only where one of these columns was set."""
    table, names = quoted(table), ", ".join(quoted(column) for column in columns)
    return f"""
DROP TRIGGER IF EXISTS {function} ON {table};
CREATE TRIGGER {function} AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {function}_update ON {table};
CREATE TRIGGER {function}_update AFTER UPDATE OF {names} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {function}_truncate ON {table};
CREATE TRIGGER {function}_truncate BEFORE TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_truncate();"""


def article_triggers(tracked: Tracked, schema: str) -> str:
    """Records a touch of the article's own row, with what it was before."""
    function, pk = f"audit_touch_{identifier(tracked.kind)}", primary_key_column(tracked.model)
    body = _touch_of_another_identity(tracked, pk) + _touch_of_an_update(tracked, pk)
    columns = [column_name(primary_key_of(tracked.model))]
    columns += [column_name(tracked.field(name)) for name in (*tracked.fields, *tracked.texts)]
    return _trigger_function(function, body, schema) + _triggers(tracked.model._meta.db_table, function, columns)


def _touch_of_another_identity(tracked: Tracked, pk: str) -> str:
    """A row that comes, goes, or takes another primary key: one article begins, another ends."""
    kind = literal(tracked.kind)
    return f"""
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.{pk} IS DISTINCT FROM NEW.{pk}) THEN
    PERFORM audit_touch({kind}, NEW.{pk}::text, '{{}}', true, '{{}}', '{{}}', '{{}}');
  END IF;
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.{pk} IS DISTINCT FROM NEW.{pk}) THEN
    PERFORM audit_touch({kind}, OLD.{pk}::text, '{{}}', false, {scalars(tracked, "OLD")},
                        {_text_names(tracked)}, {_texts_before(tracked)});"""


def _touch_of_an_update(tracked: Tracked, pk: str) -> str:
    """Goes on where the other ends: a row that stays, if something tracked of it changed."""
    kind, old = literal(tracked.kind), scalars(tracked, "OLD")
    columns = [_column(tracked, name) for name in tracked.fields]
    differs = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return f"""
  ELSIF TG_OP = 'UPDATE' THEN
    DECLARE
      changed text[] := array_remove({_changed_texts(tracked)}, NULL);
    BEGIN
      IF changed <> '{{}}' THEN
        PERFORM audit_touch({kind}, NEW.{pk}::text, changed, false, {old}, changed, ARRAY(
          SELECT before FROM unnest({_text_names(tracked)}, {_texts_before(tracked)}) AS t(name, before)
          WHERE name = ANY (changed)));
      ELSIF {differs} THEN
        PERFORM audit_touch({kind}, NEW.{pk}::text, '{{}}', false, {old}, '{{}}', '{{}}');
      END IF;
    END;
  END IF;"""


def _text_names(tracked: Tracked) -> str:
    return array(literal(name) for name in tracked.texts)


def _texts_before(tracked: Tracked) -> str:
    return array(f"OLD.{_column(tracked, name)}::text" for name in tracked.texts)


def _changed_texts(tracked: Tracked) -> str:
    """An array of the names of changed texts, null for each other."""
    columns = [(name, _column(tracked, name)) for name in tracked.texts]
    return array(
        f"CASE WHEN OLD.{column} IS DISTINCT FROM NEW.{column} THEN {literal(name)} END" for name, column in columns
    )


def relation_triggers(tracked: Tracked, relation: RelationTable, schema: str) -> str:
    """Records a touch of the article that a related row belongs to; of both, where the row moves."""
    function = f"audit_touch_{identifier(tracked.kind)}_{relation.name}"
    kind, owner, touched = literal(tracked.kind), quoted(relation.owner_column), array([literal(relation.name)])
    body = f"""
  IF TG_OP <> 'INSERT' AND OLD.{owner} IS NOT NULL THEN
    PERFORM audit_touch({kind}, OLD.{owner}::text, {touched}, false, '{{}}', '{{}}', '{{}}');
  END IF;
  IF NEW.{owner} IS NOT NULL
     AND (TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.{owner} IS DISTINCT FROM OLD.{owner})) THEN
    PERFORM audit_touch({kind}, NEW.{owner}::text, {touched}, false, '{{}}', '{{}}', '{{}}');
  END IF;"""
    columns = dict.fromkeys([relation.owner_column, relation.value_column, relation.order_column])
    return _trigger_function(function, body, schema) + _triggers(relation.table, function, columns)


def actor_triggers(actor: TrackedActor, schema: str) -> str:
    """Appends a version of an author when what events say of authors changes; the first one for those already
    there.
    """
    function, pk = f"audit_actor_{identifier(actor.kind)}", primary_key_column(actor.model)
    columns = [_actor_column(actor, name) for name in (actor.name, actor.byline, actor.role, actor.desk)]
    set_columns = [column for column in columns if column]
    same = " AND ".join(f"OLD.{column} IS NOT DISTINCT FROM NEW.{column}" for column in set_columns)
    table, prefix = quoted(actor.model._meta.db_table), literal(actor.kind + ":")
    body = f"""
  IF TG_OP = 'UPDATE' AND {same} THEN RETURN NULL; END IF;
  INSERT INTO {_ACTOR_VERSION}
  SELECT who, coalesce(max(version), 0) + 1, {_actor_values(columns, "NEW")}, clock_timestamp()
  FROM (SELECT {prefix} || NEW.{pk} AS who) w LEFT JOIN audittrail_actorversion v ON v.actor_id = who GROUP BY who;"""
    return f"""{_trigger_function(function, body, schema)}
DROP TRIGGER IF EXISTS {function} ON {table};
CREATE TRIGGER {function} AFTER INSERT OR UPDATE OF {", ".join(set_columns)} ON {table}
  FOR EACH ROW EXECUTE FUNCTION {function}();
INSERT INTO {_ACTOR_VERSION}
SELECT {prefix} || a.{pk}, 1, {_actor_values(columns, "a")}, clock_timestamp() FROM {table} a
WHERE NOT EXISTS (SELECT 1 FROM audittrail_actorversion v WHERE v.actor_id = {prefix} || a.{pk});"""


_ACTOR_VERSION = "audittrail_actorversion (actor_id, version, name, byline, role, desk, recorded_at)"


def _actor_column(actor: TrackedActor, name: str | None) -> str | None:
    return quoted(column_name(column_field(actor.model, name))) if name else None


def _actor_values(columns: Iterable[str | None], row: str) -> str:
    return ", ".join(f"coalesce({row}.{column}::text, '')" if column else "''" for column in columns)
