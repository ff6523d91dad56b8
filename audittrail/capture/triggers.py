"""The triggers of tracked tables: each touch of an article is recorded, each version of an author appended.

No trigger names columns: what another trigger sets counts, and columns can be altered.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import models

from audittrail.capture.expressions import (
    array,
    canonical,
    differs,
    jsonb_object,
    literal,
    scalar,
)
from audittrail.capture.names import function_name, trigger_name
from audittrail.capture.objects import Function, Watch, row_trigger, settings, truncate_trigger
from audittrail.capture.schema import Schema
from audittrail.capture.state_functions import child_name
from audittrail.capture.static_functions import pinned_settings
from audittrail.tracking import (
    RelationTable,
    Tracked,
    TrackedActor,
    concrete,
    primary_key_of,
)

if TYPE_CHECKING:
    from audittrail.tracking import ColumnField

_Expression = Callable[[str], str]

_ACTOR_VERSION = "audittrail_actorversion (actor_id, version, name, byline, role, desk, recorded_at)"


def _trigger_function(
    name: str, table: type[models.Model], body: str, schema: Schema, declarations: str = ""
) -> Function:
    """A function that says what its rows are is another one when a column gets another type: else sessions that have
    called it would keep their plans, and fail.
    """
    body = f"\n-- {schema.row_of(table)}\n{declarations}BEGIN\n{body}\n  RETURN NULL;\nEND "
    pinned = settings(pinned_settings(schema.namespace))
    return Function(name, "", "trigger", "plpgsql", body, security_definer=True, settings=pinned)


def _watched(table: str, function: Function, events: str) -> Watch:
    """A table that calls a function for each row, and refuses TRUNCATE."""
    return Watch(
        function, (row_trigger(trigger_name(function.name), table, function.name, events), truncate_trigger(table))
    )


_ROWS = "INSERT OR UPDATE OR DELETE"


def article_triggers(tracked: Tracked, schema: Schema) -> list[Watch]:
    """Records a touch of the article's own row, with what it was before, and of its rows in its parents' tables."""
    model, rows = tracked.model, _Table(tracked, tracked.model, schema)
    body = rows.touch_of_another_identity() + rows.touch_of_an_update()
    own = _trigger_function(function_name("audit_touch", tracked.kind), model, body, schema, _CHANGED)
    parents = [_parent_triggers(tracked, parent, schema) for parent in tracked.parents]
    return [_watched(schema.table(model), own, _ROWS), *parents]


def _parent_triggers(tracked: Tracked, parent: type[models.Model], schema: Schema) -> Watch:
    """An update of the parent's row, where it is the article's; it comes and goes with the article's own."""
    name = function_name("audit_touch", tracked.kind, f"in/{parent._meta.db_table}")
    key, parent_key = schema.key_in_row(tracked.model, "a"), schema.key_in_row(parent, "NEW")
    is_article = f"EXISTS (SELECT FROM {schema.quoted_table(tracked.model)} a WHERE {key} = {parent_key})"
    body = f"""  IF NOT {is_article} THEN RETURN NULL; END IF;
{_Table(tracked, parent, schema).touch_of_changes()}"""
    return _watched(schema.table(parent), _trigger_function(name, parent, body, schema, _CHANGED), "UPDATE")


_CHANGED = "DECLARE\n  changed text[];\n  is_first boolean;\n"


class _Table:
    """Touches of an article by rows of one of its tables."""

    def __init__(self, tracked: Tracked, table: type[models.Model], schema: Schema):
        self._tracked, self._schema = tracked, schema
        self._kind, self._key = literal(tracked.kind), primary_key_of(table)
        self._fields = tracked.names_in(table, tracked.fields)
        self._texts = tracked.names_in(table, tracked.texts)

    def touch_of_another_identity(self) -> str:
        """A row that comes, goes, or takes another primary key: one article begins, another ends."""
        renamed = f"TG_OP = 'UPDATE' AND {differs(self._key, self._schema)}"
        names = array(literal(name) for name in self._texts)
        texts = array(f"{self._schema.in_row(self._tracked.field(name), 'OLD')}::text" for name in self._texts)
        return f"""  IF TG_OP = 'INSERT' OR ({renamed}) THEN
    is_first := audit_touch({self._kind}, {self._pk("NEW")}, '{{}}', true, '{{}}', '{{}}', '{{}}');
  END IF;
  IF TG_OP = 'DELETE' OR ({renamed}) THEN
    is_first := audit_touch({self._kind}, {self._pk("OLD")}, '{{}}', false, {self._scalars()}, {names}, {texts});
  END IF;
"""

    def touch_of_an_update(self) -> str:
        """A row that stays, if something tracked of it changed."""
        return f"""  IF TG_OP <> 'UPDATE' OR {differs(self._key, self._schema)} THEN RETURN NULL; END IF;
{self.touch_of_changes()}"""

    def touch_of_changes(self) -> str:
        cases = [
            f"CASE WHEN {differs(self._tracked.field(name), self._schema)} THEN {literal(name)} END"
            for name in (*self._fields, *self._texts)
        ]
        return f"""  changed := array_remove(ARRAY[
    {", ".join(cases)}]::text[], NULL);
  IF changed <> '{{}}' THEN
    is_first := audit_touch({self._kind}, {self._pk("NEW")}, changed, false, {self._scalars()},
      {self._changed_texts(literal)},
      {self._changed_texts(lambda name: self._schema.in_row(self._tracked.field(name), "OLD") + "::text")});
  END IF;"""

    def _changed_texts(self, each: _Expression) -> str:
        parts = [f"CASE WHEN {literal(n)} = ANY (changed) THEN {array([each(n)])} ELSE '{{}}' END" for n in self._texts]
        return " || ".join(["'{}'::text[]", *parts])

    def _scalars(self) -> str:
        return jsonb_object((name, scalar(self._tracked, name, "OLD", self._schema)) for name in self._fields)

    def _pk(self, row: str) -> str:
        return f"{self._schema.in_row(self._key, row)}::text"


def relation_triggers(tracked: Tracked, relation: RelationTable, schema: Schema) -> Watch:
    """Records a touch of the article that a related row belongs to; of both, where the row moves."""
    name = function_name("audit_touch", tracked.kind, relation.name)
    body = _RelatedRows(tracked, relation, schema).touches()
    return _watched(schema.table(relation.row), _trigger_function(name, relation.row, body, schema, _CHANGED), _ROWS)


class _RelatedRows:
    """Touches of an article by rows that belong to it."""

    def __init__(self, tracked: Tracked, relation: RelationTable, schema: Schema):
        self._tracked, self._relation, self._schema = tracked, relation, schema
        self._name = array([literal(relation.name)])
        self._columns = (relation.owner, relation.value, relation.order, primary_key_of(relation.row))

    def touches(self) -> str:
        own = (*self._relation.fields, *self._relation.texts)
        moved = " OR ".join(dict.fromkeys(differs(field, self._schema) for field in self._columns))
        changed = [f"CASE WHEN {differs(field, self._schema)} THEN {self._name_in(field, 'OLD')} END" for field in own]
        return f"""  IF TG_OP = 'UPDATE' THEN
    changed := array_remove(ARRAY[{", ".join(changed)}]::text[], NULL)
            || CASE WHEN {moved} THEN {self._name} || {self._names("OLD")} || {self._names("NEW")} ELSE '{{}}' END;
    IF changed = '{{}}' THEN RETURN NULL; END IF;
  ELSIF TG_OP = 'INSERT' THEN
    changed := {self._name} || {self._names("NEW")};
  ELSE
    changed := {self._name} || {self._names("OLD")};
  END IF;
  IF TG_OP <> 'INSERT' AND {self._schema.in_row(self._relation.owner, "OLD")} IS NOT NULL THEN
    {self._touch("OLD", f"{self._before()}, {self._texts_before()}")}
  END IF;
  IF {self._schema.in_row(self._relation.owner, "NEW")} IS NOT NULL
     AND (TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND ({differs(self._relation.owner, self._schema)}))) THEN
    {self._touch("NEW", "'{}', '{}', '{}'")}
  END IF;"""

    def _touch(self, row: str, before: str) -> str:
        """The article that a row belongs to is touched; where the row refers to another column than its key, if any."""
        owner, target, kind = (
            self._schema.in_row(self._relation.owner, row),
            self._relation.target,
            literal(self._tracked.kind),
        )
        if target.primary_key:
            return f"is_first := audit_touch_related({kind}, {owner}::text, changed, {before});"
        table = concrete(target.model)
        return (
            f"PERFORM audit_touch_related({kind}, {self._schema.key_in_row(table, 'a')}::text, changed, {before})\n"
            f"    FROM {self._schema.quoted_table(table)} a WHERE {self._schema.in_row(target, 'a')} = {owner};"
        )

    def _name_in(self, field: "ColumnField", row: str) -> str:
        return child_name(self._relation, field, row, self._schema)

    def _names(self, row: str) -> str:
        own = (*self._relation.fields, *self._relation.texts)
        return array(self._name_in(field, row) for field in own)

    def _before(self) -> str:
        pairs = [
            f"{self._name_in(field, 'OLD')}, {canonical(field, 'OLD', self._schema)}" for field in self._relation.fields
        ]
        return f"jsonb_build_object({', '.join(pairs)})"

    def _texts_before(self) -> str:
        """Names and contents of the long texts that were changed, or all where the row comes or goes."""
        names, texts = ["'{}'::text[]"], ["'{}'::text[]"]
        for field in self._relation.texts:
            name = self._name_in(field, "OLD")
            case = f"CASE WHEN {name} = ANY (changed) THEN "
            names.append(f"{case}{array([name])} ELSE '{{}}' END")
            texts.append(f"{case}{array([self._schema.in_row(field, 'OLD') + '::text'])} ELSE '{{}}' END")
        return f"{' || '.join(names)}, {' || '.join(texts)}"


def actor_triggers(actor: TrackedActor, schema: Schema) -> Watch:
    """Appends a version of an author when what events say of authors changes."""
    name, table = function_name("audit_actor", actor.kind), schema.table(actor.model)
    same = " AND ".join(f"NOT ({differs(actor.field(name), schema)})" for name in actor.columns)
    body = f"""  IF TG_OP = 'UPDATE' AND {same} THEN RETURN NULL; END IF;
  INSERT INTO {_ACTOR_VERSION}
  SELECT who, coalesce(max(version), 0) + 1, {_actor_values(actor, "NEW", schema)}, clock_timestamp()
  FROM (SELECT {_actor_id(actor, "NEW", schema)} AS who) w LEFT JOIN audittrail_actorversion v ON v.actor_id = who
  GROUP BY who;"""
    function = _trigger_function(name, actor.model, body, schema)
    return Watch(function, (row_trigger(trigger_name(name), table, name, "INSERT OR UPDATE"),))


def first_versions(actor: TrackedActor, schema: Schema) -> str:
    """Appends the first version of the authors that were there before capture was."""
    return f"""INSERT INTO {_ACTOR_VERSION}
SELECT {_actor_id(actor, "a", schema)}, 1, {_actor_values(actor, "a", schema)}, clock_timestamp()
FROM {schema.quoted_table(actor.model)} a
WHERE NOT EXISTS (SELECT 1 FROM audittrail_actorversion v WHERE v.actor_id = {_actor_id(actor, "a", schema)})
ON CONFLICT DO NOTHING;"""


def _actor_id(actor: TrackedActor, row: str, schema: Schema) -> str:
    return f"{literal(actor.kind + ':')} || {schema.key_in_row(actor.model, row)}"


def _actor_values(actor: TrackedActor, row: str, schema: Schema) -> str:
    return ", ".join(
        f"coalesce({schema.in_row(actor.field(name), row)}::text, '')" if name else "''"
        for name in (actor.name, actor.byline, actor.role, actor.desk)
    )
