"""The triggers of tracked tables: each touch of an article is recorded, each version of an author appended."""

from collections.abc import Iterable

from audittrail.capture.expressions import (
    array,
    identifier,
    literal,
    primary_key_column,
    quoted,
    scalars,
    tracked_column,
)
from audittrail.tracking import RelationTable, Tracked, TrackedActor, column_field, column_name, primary_key_of

_ACTOR_VERSION = "audittrail_actorversion (actor_id, version, name, byline, role, desk, recorded_at)"


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
    columns = [tracked_column(tracked, name) for name in tracked.fields]
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
    return array(f"OLD.{tracked_column(tracked, name)}::text" for name in tracked.texts)


def _changed_texts(tracked: Tracked) -> str:
    """An array of the names of changed texts, null for each other."""
    columns = [(name, tracked_column(tracked, name)) for name in tracked.texts]
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


def _actor_column(actor: TrackedActor, name: str | None) -> str | None:
    return quoted(column_name(column_field(actor.model, name))) if name else None


def _actor_values(columns: Iterable[str | None], row: str) -> str:
    return ", ".join(f"coalesce({row}.{column}::text, '')" if column else "''" for column in columns)
