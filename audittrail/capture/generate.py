"""The SQL that differs from model to model: its triggers, and the query that reads an article's tracked state."""

from django.db import models

from audittrail.tracking import RelationTable, Tracked, TrackedActor, all_tracked


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def array(values) -> str:
    return "ARRAY[" + ", ".join(values) + "]::text[]"


def identifier(kind: str) -> str:
    return kind.replace(".", "_")


def canonical(field: models.Field, row: str) -> str:
    """The value of a column as the one text that stands for it in events, whatever the session's settings.

    Timestamps are ISO 8601 in UTC with microseconds, dates ISO 8601; everything else is PostgreSQL's own text.
    """
    column = f"{row}.{quoted(field.column)}"
    internal = field.target_field.get_internal_type() if field.is_relation else field.get_internal_type()
    if internal == "DateTimeField":
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if internal == "DateField":
        return f"to_char({column}, 'YYYY-MM-DD')"
    return f"{column}::text"


def scalar(tracked: Tracked, name: str, row: str) -> str:
    value = canonical(tracked.model._meta.get_field(name), row)
    return f"audit_mask({value})" if name in tracked.masked else value


def scalars(tracked: Tracked, row: str) -> str:
    """A jsonb_build_object of the short values; in parts, as a function takes a hundred arguments at most."""
    pairs = [f"{literal(name)}, {scalar(tracked, name, row)}" for name in tracked.fields]
    parts = [f"jsonb_build_object({', '.join(pairs[at : at + 40])})" for at in range(0, len(pairs), 40)]
    return " || ".join(parts)


STATE = "TABLE (object_pk text, scalars jsonb, relations jsonb, labels jsonb)"
TEXTS = "TABLE (object_pk text, texts text[])"


def state_functions(tracked: Tracked, connection) -> str:
    """`audit_state_KIND(pks)`: one row for each live article, as the fold compares it; `audit_texts_KIND(pks)`: its
    long texts.
    """
    meta = tracked.model._meta
    pk = quoted(meta.pk.column)
    joins = [_relation_join(relation, pk) for relation in tracked.relations]
    joins += [_label_join(tracked, name, label) for name, label in tracked.labels.items()]
    relations = ", ".join(f"{literal(r.name)}, {quoted('r_' + r.name)}.ids" for r in tracked.relations)
    labels = [f"{literal(r.name)}, {quoted('r_' + r.name)}.labels" for r in tracked.relations]
    labels += [f"{literal(name)}, {quoted('l_' + name)}.labels" for name in tracked.labels]
    texts = array(f"a.{quoted(meta.get_field(name).column)}::text" for name in tracked.texts)
    where = f"FROM {quoted(meta.db_table)} a {{joins}} WHERE a.{pk} = ANY (pks::{meta.pk.rel_db_type(connection)}[])"
    return f"""
CREATE OR REPLACE FUNCTION audit_state_{identifier(tracked.kind)}(pks text[]) RETURNS {STATE} LANGUAGE sql STABLE AS $$
  SELECT a.{pk}::text, {scalars(tracked, "a")}, jsonb_build_object({relations}),
         jsonb_strip_nulls(jsonb_build_object({", ".join(labels)}))
  {where.format(joins=chr(10).join(joins))}
$$;
CREATE OR REPLACE FUNCTION audit_texts_{identifier(tracked.kind)}(pks text[]) RETURNS {TEXTS} LANGUAGE sql STABLE AS $$
  SELECT a.{pk}::text, {texts} {where.format(joins="")}
$$;"""


def _relation_join(relation: RelationTable, pk: str) -> str:
    value = f"r.{quoted(relation.value_column)}::text"
    order = f"r.{quoted(relation.order_column)}, r.{quoted(relation.value_column)}"
    named, labels = "", "NULL::jsonb"
    if relation.label_table:
        named = f"LEFT JOIN {quoted(relation.label_table)} n ON n.{quoted(relation.label_key)} = r.{quoted(relation.value_column)}"
        labels = f"jsonb_object_agg({value}, n.{quoted(relation.label_column)}::text)"
    return f"""CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg({value} ORDER BY {order}), '[]') AS ids, {labels} AS labels
    FROM {quoted(relation.table)} r {named} WHERE r.{quoted(relation.owner_column)} = a.{pk}) {quoted("r_" + relation.name)}"""


def _label_join(tracked: Tracked, name: str, label: str) -> str:
    field = tracked.model._meta.get_field(name)
    other = field.related_model._meta
    return f"""
  LEFT JOIN LATERAL (
    SELECT jsonb_build_object(n.{quoted(other.pk.column)}::text, n.{quoted(other.get_field(label).column)}::text) AS labels
    FROM {quoted(other.db_table)} n WHERE n.{quoted(other.pk.column)} = a.{quoted(field.column)}) {quoted("l_" + name)} ON true"""


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
        f"IF kind = {literal(t.kind)} THEN RETURN QUERY SELECT * FROM {function}_{identifier(t.kind)}(pks); RETURN; END IF;"
        for t in all_tracked()
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
CREATE OR REPLACE FUNCTION {function}(kind text) RETURNS {returns} LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {body} $$;"""


def _trigger_function(name: str, body: str, schema: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {quoted(schema)}, pg_temp AS $$
BEGIN
{body}
  RETURN NULL;
END $$;"""


def _triggers(table: str, function: str, columns) -> str:
    table = quoted(table)
    return f"""
DROP TRIGGER IF EXISTS {function} ON {table};
CREATE TRIGGER {function} AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {function}_update ON {table};
CREATE TRIGGER {function}_update AFTER UPDATE OF {", ".join(quoted(column) for column in columns)} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {function}_truncate ON {table};
CREATE TRIGGER {function}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_truncate();"""


def article_triggers(tracked: Tracked, schema: str) -> str:
    """Notes a touch of the article's own row, with what it was before."""
    meta = tracked.model._meta
    kind, function, pk = literal(tracked.kind), f"audit_touch_{identifier(tracked.kind)}", quoted(meta.pk.column)
    texts = [(name, quoted(meta.get_field(name).column)) for name in tracked.texts]
    all_texts = array(literal(name) for name, _ in texts)
    old_texts = array(f"OLD.{column}::text" for _, column in texts)
    old = scalars(tracked, "OLD")
    changed_texts = array(
        f"CASE WHEN OLD.{column} IS DISTINCT FROM NEW.{column} THEN {literal(name)} END" for name, column in texts
    )
    differs = " OR ".join(
        f"OLD.{c} IS DISTINCT FROM NEW.{c}" for c in (quoted(meta.get_field(n).column) for n in tracked.fields)
    )
    body = f"""
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.{pk} IS DISTINCT FROM NEW.{pk}) THEN
    PERFORM audit_touch({kind}, NEW.{pk}::text, '{{}}', true, '{{}}', '{{}}', '{{}}');
  END IF;
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.{pk} IS DISTINCT FROM NEW.{pk}) THEN
    PERFORM audit_touch({kind}, OLD.{pk}::text, '{{}}', false, {old}, {all_texts}, {old_texts});
  ELSIF TG_OP = 'UPDATE' THEN
    DECLARE
      changed text[] := array_remove({changed_texts}, NULL);
    BEGIN
      IF changed <> '{{}}' THEN
        PERFORM audit_touch({kind}, NEW.{pk}::text, changed, false, {old}, changed,
          ARRAY(SELECT before FROM unnest({all_texts}, {old_texts}) AS t(name, before) WHERE name = ANY (changed)));
      ELSIF {differs} THEN
        PERFORM audit_touch({kind}, NEW.{pk}::text, '{{}}', false, {old}, '{{}}', '{{}}');
      END IF;
    END;
  END IF;"""
    columns = [meta.pk.column, *(meta.get_field(name).column for name in (*tracked.fields, *tracked.texts))]
    return _trigger_function(function, body, schema) + _triggers(meta.db_table, function, columns)


def relation_triggers(tracked: Tracked, relation: RelationTable, schema: str) -> str:
    """Notes a touch of the article that a related row belongs to; of both, where the row moves."""
    kind, owner = literal(tracked.kind), quoted(relation.owner_column)
    function = f"audit_touch_{identifier(tracked.kind)}_{relation.name}"
    noted = array([literal(relation.name)])
    body = f"""
  IF TG_OP <> 'INSERT' AND OLD.{owner} IS NOT NULL THEN
    PERFORM audit_touch({kind}, OLD.{owner}::text, {noted}, false, '{{}}', '{{}}', '{{}}');
  END IF;
  IF NEW.{owner} IS NOT NULL AND (TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.{owner} IS DISTINCT FROM OLD.{owner})) THEN
    PERFORM audit_touch({kind}, NEW.{owner}::text, {noted}, false, '{{}}', '{{}}', '{{}}');
  END IF;"""
    columns = dict.fromkeys([relation.owner_column, relation.value_column, relation.order_column])
    return _trigger_function(function, body, schema) + _triggers(relation.table, function, columns)


def actor_triggers(actor: TrackedActor, schema: str) -> str:
    """Appends a version of an author when what events tell of authors changes; the first one for those already
    there.
    """
    meta = actor.model._meta
    function, pk = f"audit_actor_{identifier(actor.kind)}", quoted(meta.pk.column)
    fields = [meta.get_field(name) if name else None for name in (actor.name, actor.byline, actor.role, actor.desk)]

    def values(row: str) -> str:
        return ", ".join(f"coalesce({row}.{quoted(field.column)}::text, '')" if field else "''" for field in fields)

    columns = [quoted(field.column) for field in fields if field]
    same = " AND ".join(f"OLD.{column} IS NOT DISTINCT FROM NEW.{column}" for column in columns)
    table = quoted(meta.db_table)
    body = f"""
  IF TG_OP = 'UPDATE' AND {same} THEN RETURN NULL; END IF;
  INSERT INTO audittrail_actorversion (actor_id, version, name, byline, role, desk, recorded_at)
  SELECT who, coalesce(max(version), 0) + 1, {values("NEW")}, clock_timestamp()
  FROM (SELECT {literal(actor.kind + ":")} || NEW.{pk} AS who) w LEFT JOIN audittrail_actorversion v ON v.actor_id = who GROUP BY who;"""
    return f"""{_trigger_function(function, body, schema)}
DROP TRIGGER IF EXISTS {function} ON {table};
CREATE TRIGGER {function} AFTER INSERT OR UPDATE OF {", ".join(columns)} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
INSERT INTO audittrail_actorversion (actor_id, version, name, byline, role, desk, recorded_at)
SELECT {literal(actor.kind + ":")} || a.{pk}, 1, {values("a")}, clock_timestamp() FROM {table} a
WHERE NOT EXISTS (SELECT 1 FROM audittrail_actorversion v WHERE v.actor_id = {literal(actor.kind + ":")} || a.{pk});"""
