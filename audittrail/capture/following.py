"""Keeps capture on while migrations run: it follows each change of a table at once, in the same transaction.

What a migration changes is recorded as by it: rows by the triggers, and what becomes of articles when a column comes,
goes or takes another type, by an event for each.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail import tracking
from audittrail.capture import schema
from audittrail.capture.acting import Actor, Context, Origin, acting
from audittrail.capture.inspection import has_trail, place_of
from audittrail.capture.install import Progress, install_within
from audittrail.capture.names import function_name
from audittrail.capture.schema import EarlierNames, Schema
from audittrail.capture.stamping import Execute, stamp_of

_CHANGES_TABLES = re.compile(r"(?:^|;)\s*(?:--[^\n]*\n\s*)*(ALTER|CREATE|DROP|DO)\b", re.IGNORECASE)
_MAY_BE_IN_A_TRANSACTION = re.compile(r"\s*(ALTER|CREATE|DROP)\s+(UNLOGGED\s+)?TABLE\b", re.IGNORECASE)

_WATCHED = """
SELECT c.relname::text,
       (SELECT array_agg(a.attname || a.attnum::text || a.atttypid || '/' || a.atttypmod ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       array_agg(p.proname::text ORDER BY p.proname)
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND p.proname ~ '^audit_(touch|actor)_'
GROUP BY c.oid, c.relname"""


@dataclass(frozen=True)
class _Tables:
    """tracked: as the code has them; watched: name → columns and functions, of the tables that have triggers."""

    tracked: Schema
    watched: dict[str, tuple[list[str], list[str]]]


class Follower:
    """The execute wrapper of the connection that migrates."""

    def __init__(self, connection: BaseDatabaseWrapper, earlier: EarlierNames, progress: Progress):
        self._connection, self._earlier, self._progress = connection, earlier, progress
        self._context: Context | None = None
        self._is_following = False
        self._is_first = True

    def context(self) -> Context | None:
        """Who changes things now: the migration that runs, by its name."""
        return self._context

    def begin(self, migration: str) -> None:
        """From now on what is changed belongs to this migration."""
        if self._is_installed():
            self._context = Context(Actor("service", migration), Origin(channel="migration"))

    def end(self) -> None:
        """The migration has run."""
        self._context = None

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._context is None or self._is_following or not _CHANGES_TABLES.search(str(sql)):
            return execute(sql, params, many, context)
        is_alone = not self._connection.in_atomic_block and _MAY_BE_IN_A_TRANSACTION.match(str(sql))
        self._is_following = True
        try:
            with transaction.atomic(using=self._connection.alias) if is_alone else nullcontext():
                before = self._before()
                answer = execute(sql, params, many, context)
                self._after(before)
        finally:
            self._is_following = False
        return answer

    def _before(self) -> _Tables:
        """What was changed so far is read with the columns that are still there."""
        if self._connection.in_atomic_block:
            self._call("audit_fold_now()")
        return self._tables()

    def _tables(self) -> _Tables:
        with self._connection.cursor() as cursor:
            cursor.execute(_WATCHED)
            watched = {name: (columns, functions) for name, columns, functions in cursor.fetchall()}
        return _Tables(schema.read(self._connection, self._earlier), watched)

    def _after(self, before: _Tables) -> None:
        after = self._tables()
        altered = after.tracked.tables_unlike(before.tracked)
        if not altered and after.watched == before.watched:
            return
        install_within(self._connection, self._earlier, altered)
        changes = schema.changes(before.tracked, after.tracked)
        changes |= {kind: [""] for kind in self._ended_kinds(before, after)}
        if self._is_first:
            self._is_first = False
            changes = {each.kind: [] for each in tracking.all_tracked()} | changes
        for kind, fields in changes.items():
            if changed := self._call("audit_follow(%s, %s)", kind, fields):
                self._progress(f"    {kind}: {changed} articles looked at for what it changed")

    def _ended_kinds(self, before: _Tables, after: _Tables) -> list[str]:
        """Kinds that are tracked no more, and whose table has just been dropped."""
        gone = {each for name in before.watched.keys() - after.watched.keys() for each in before.watched[name][1]}
        if not gone:
            return []
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT kind FROM audittrail_head WHERE alive")
            return [kind for (kind,) in cursor.fetchall() if function_name("audit_touch", kind) in gone]

    def _call(self, call: str, *arguments: Any) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {call}", arguments)
            return cursor.fetchone()[0]

    def _is_installed(self) -> bool:
        return has_trail(self._connection) and bool(self._call("to_regproc('audit_follow') IS NOT NULL"))


@contextmanager
def followed(
    connection: BaseDatabaseWrapper, earlier: EarlierNames, progress: Progress = lambda message: None
) -> Iterator[Follower]:
    """Capture follows what is migrated by this connection, or by the site's own, which is this one meanwhile."""
    follower = Follower(connection, earlier, progress)
    with as_default(connection), acting(follower.context), connection.execute_wrapper(follower):
        stamp_of(connection)
        yield follower


@contextmanager
def as_default(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """The default alias is this connection, if it is to the same database.

    Migrations of other apps write through it: as the site, by a connection of its own, they would lack the rights, wait
    for the locks of this one, and not see its tables.
    """
    default = connections[DEFAULT_DB_ALIAS]
    if default is connection or place_of(default) != place_of(connection):
        yield
        return
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = default
