"""What of capture is installed in a database, read from PostgreSQL's catalogue, which every role may read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture.objects import CompositeType, Function, Trigger, settings

PUBLIC = "public"
"""How the rights of every role are named here."""

Place = tuple[str, str]
"""A table: its schema, '' for the trail's own, and its name."""


@dataclass(frozen=True, slots=True)
class InstalledFunction:
    """A function as it is. reference: as statements name it; executors: roles that may call it, its owner apart; fires:
    a trigger calls it.
    """

    function: Function
    reference: str
    owner: str
    executors: frozenset[str]
    fires: bool


@dataclass(frozen=True, slots=True)
class InstalledTrigger:
    """A trigger as it is. cloned: PostgreSQL made it for a partition, and it goes with the one it was made from."""

    trigger: Trigger
    cloned: bool


@dataclass(frozen=True, slots=True)
class InstalledTable:
    """A table as it is. kind: pg_class.relkind; parts: its partitions and the tables that inherit from it, all the way
    down; unlogged, options, compressed and shape: as in audittrail.capture.objects.
    """

    place: Place
    owner: str
    kind: str
    is_partition: bool
    parts: tuple[Place, ...]
    unlogged: bool
    options: frozenset[str]
    compressed: frozenset[str]
    shape: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is installed. role: who asks; owner: of the trail's tables; members: roles whose objects the asking role may
    change; roles: all there are.
    """

    role: str
    owner: str
    members: frozenset[str]
    roles: frozenset[str]
    types: frozenset[CompositeType]
    functions: tuple[InstalledFunction, ...]
    triggers: tuple[InstalledTrigger, ...]
    tables: Mapping[Place, InstalledTable]


def read(connection: BaseDatabaseWrapper, tables: Collection[str]) -> Catalogue:
    """The functions and triggers of capture, and these tables with all that are parts of them."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLES)
        role, owner, members, roles = cursor.fetchone()
        cursor.execute(_TYPES)
        types = frozenset(CompositeType(name, _pairs(columns)) for name, columns in cursor.fetchall())
        cursor.execute(_FUNCTIONS)
        functions = tuple(_function(row) for row in cursor.fetchall())
        cursor.execute(_TRIGGERS)
        triggers = tuple(_trigger(row) for row in cursor.fetchall())
        cursor.execute(_TABLES, [sorted(tables)])
        found = [_table(row) for row in cursor.fetchall()]
    return Catalogue(
        role,
        owner or role,
        frozenset(members),
        frozenset(roles),
        types,
        functions,
        triggers,
        {each.place: each for each in found},
    )


_ROLES = """
SELECT current_user::text,
       (SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = to_regclass('audittrail_head')),
       ARRAY(SELECT rolname::text FROM pg_roles WHERE pg_has_role(oid, 'USAGE')),
       ARRAY(SELECT rolname::text FROM pg_roles)"""

_TYPES = """
SELECT t.typname, ARRAY(
  SELECT ARRAY[a.attname::text, format_type(a.atttypid, NULL)] FROM pg_attribute a
  WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typnamespace = current_schema()::regnamespace AND t.typname LIKE 'audit\\_%'"""

_FUNCTIONS = """
SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname, p.prosrc,
       p.provolatile::text, p.proparallel = 's', p.prosecdef, p.proisstrict, coalesce(p.proconfig, '{}'),
       p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text,
       ARRAY(SELECT CASE grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(grantee)::text END
             FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee <> p.proowner),
       EXISTS (SELECT FROM pg_trigger WHERE tgfoid = p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'audit\\_%' AND p.prokind = 'f'"""

_TRIGGERS = r"""
SELECT t.tgname,
       CASE WHEN c.relnamespace = current_schema()::regnamespace THEN '' ELSE n.nspname::text END,
       c.relname, p.proname, t.tgtype, t.tgenabled::text IN ('O', 'A'), t.tgdeferrable AND t.tginitdeferred,
       coalesce(substring(pg_get_triggerdef(t.oid, true) FROM ' WHEN \((.*)\) EXECUTE FUNCTION '), ''),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (t.tgattr)),
       t.tgnargs > 0, t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL, t.tgparentid <> 0
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'audit\_%'"""

_TABLES = """
WITH RECURSIVE named AS (
  SELECT c.oid FROM pg_class c
  WHERE c.relname = ANY (%s) AND c.relnamespace = current_schema()::regnamespace
    AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
), below AS (
  SELECT oid AS top, oid FROM named
  UNION SELECT b.top, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
), place AS (
  SELECT c.oid, c.relname::text AS name, CASE WHEN c.relnamespace = current_schema()::regnamespace THEN ''
                                        ELSE n.nspname::text END AS namespace
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (SELECT oid FROM below)
)
SELECT p.namespace, p.name, pg_get_userbyid(c.relowner)::text, c.relkind::text, c.relispartition,
       ARRAY(SELECT ARRAY[d.namespace, d.name] FROM below b JOIN place d ON d.oid = b.oid
             WHERE b.top = c.oid AND b.oid <> c.oid ORDER BY 1),
       c.relpersistence = 'u', coalesce(c.reloptions, '{}'), a.compressed, a.shape
FROM place p JOIN pg_class c ON c.oid = p.oid
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(attname::text) FILTER (WHERE attcompression = 'l'), '{}') AS compressed,
         coalesce(array_agg(ARRAY[attname::text, format_type(atttypid, NULL)] ORDER BY attnum), '{}') AS shape
  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a"""

_VOLATILITY = {"v": "VOLATILE", "s": "STABLE", "i": "IMMUTABLE"}
_EVENTS = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}


def _function(row: Sequence[Any]) -> InstalledFunction:
    (
        name,
        arguments,
        returns,
        language,
        body,
        volatility,
        parallel_safe,
        security_definer,
        strict,
        configuration,
        *rest,
    ) = row
    function = Function(
        name,
        arguments,
        returns,
        language,
        body,
        volatility=_VOLATILITY[volatility],
        parallel_safe=parallel_safe,
        security_definer=security_definer,
        strict=strict,
        settings=settings((key, value) for key, _, value in (each.partition("=") for each in configuration)),
    )
    reference, owner, executors, fires = rest
    return InstalledFunction(function, reference, owner, frozenset(executors), fires)


def _trigger(row: Sequence[Any]) -> InstalledTrigger:
    name, namespace, table, function, kind, enabled, deferred, when, columns, arguments, transition_tables, cloned = row
    trigger = Trigger(
        name,
        table,
        function,
        frozenset(event for bit, event in _EVENTS.items() if kind & bit),
        timing="BEFORE" if kind & 2 else "INSTEAD OF" if kind & 64 else "AFTER",
        level="ROW" if kind & 1 else "STATEMENT",
        deferred=deferred,
        when=when,
        columns=tuple(columns),
        has_arguments=arguments,
        has_transition_tables=transition_tables,
        enabled=enabled,
        namespace=namespace,
    )
    return InstalledTrigger(trigger, cloned)


def _table(row: Sequence[Any]) -> InstalledTable:
    namespace, name, owner, kind, is_partition, parts, unlogged, options, compressed, shape = row
    below = tuple((part[0], part[1]) for part in parts)
    return InstalledTable(
        (namespace, name),
        owner,
        kind,
        is_partition,
        below,
        unlogged,
        frozenset(options),
        frozenset(compressed),
        _pairs(shape),
    )


def _pairs(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((first, second) for first, second in rows)
