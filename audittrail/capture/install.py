"""Installs capture: what differs from the catalogue, object by object, so that nobody waits for it.

Definitions come first, in one transaction; then each table's triggers in one of their own, whose lock is waited for a
fraction of a second at a time; then what is wanted no more goes.
"""

import sys
import time
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from itertools import groupby
from typing import TextIO

from django.apps import AppConfig, apps
from django.core.management.base import CommandError
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg.errors import LockNotAvailable

from audittrail.capture.differences import Difference, Kind, named
from audittrail.capture.expressions import quoted
from audittrail.capture.grants import right_differences
from audittrail.capture.inspection import compare, has_trail, inspect
from audittrail.capture.schema import EarlierNames

LOCK_TIMEOUT = "200ms"
"""So long a change waits for a table, and what comes after it waits behind it."""

PAUSE = 0.5
"""Seconds between two attempts, in which others have the table."""

DEADLINE = timedelta(seconds=60)

Progress = Callable[[str], None]
"""Is told what is being done, and what is waited for."""


def install(
    alias: str, *, deadline: timedelta = DEADLINE, progress: Progress = lambda message: None
) -> list[Difference]:
    """Mend what differs, and return what is wrong still.  Runs as the owner of the tables.

    A table that is in use is tried again until the deadline; the others do not wait for it.
    """
    connection, until = connections[alias], time.monotonic() + deadline.total_seconds()
    comparison = compare(connection)
    for (_, table), group in groupby(comparison.differences, key=lambda each: (each.kind, each.table)):
        _attempt(connection, _statements(group), table or "definitions", until, progress)
    rights = right_differences(connection, comparison.installed)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        _execute(cursor, [*comparison.capture.rows, *_statements(rights)])
    return inspect(alias).problems


def install_within(
    connection: BaseDatabaseWrapper, earlier: EarlierNames | None = None, tables: Collection[str] | None = None
) -> list[Difference]:
    """Mend what differs in the transaction that is open, and return what that was; what is right is not touched.

    tables: the only ones that triggers are added to, as the transaction has their locks.
    """
    comparison = compare(connection, earlier)
    found = [each for each in comparison.differences if tables is None or _is_due_at_once(each, tables)]
    if statements := _statements(found):
        with connection.cursor() as cursor:
            _execute(cursor, statements)
            _execute(cursor, comparison.capture.rows)
    return found


def _is_due_at_once(difference: Difference, tables: Collection[str]) -> bool:
    if difference.kind is Kind.TRIGGER:
        return difference.table in {quoted(each) for each in tables}
    return difference.kind in (Kind.DEFINITION, Kind.UNWANTED_TRIGGER)


def install_after_migrate(sender: AppConfig, using: str, stdout: TextIO | None = None, **_: object) -> None:
    """After the last app of a migrate run, if it made the trail's tables.

    Raises CommandError naming what is wrong still; while other migrations are to follow, which may bring what is
    absent, or were taken back, that is only printed.
    """
    last = [config for config in apps.get_app_configs() if config.models_module][-1]
    if sender.label != last.label or not has_trail(connections[using]):
        return
    left = install(using)
    if not left:
        return
    if not _are_migrations_to_follow(using):
        raise CommandError("\n".join(["Migrated, but capture is not as it should be:", *named(left)]))
    remedy = "Migrate to the end, or run migrate again with the code of this state; until then, not captured:"
    (stdout or sys.stdout).write("\n".join([remedy, *named(left), ""]))


def _are_migrations_to_follow(alias: str) -> bool:
    executor = MigrationExecutor(connections[alias])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _attempt(
    connection: BaseDatabaseWrapper, statements: list[str], what: str, until: float, progress: Progress
) -> None:
    """Execute in one transaction, again and again while another one holds the table."""
    while statements:
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                _execute(cursor, statements)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            if time.monotonic() > until:
                progress(f"{what}: in use all the time, left as it was")
                return
            progress(f"{what}: in use, tried again in {PAUSE} s")
            time.sleep(PAUSE)
        else:
            progress(f"{what}: installed")
            return


def _statements(found: Iterable[Difference]) -> list[str]:
    return [statement for each in found for statement in each.statements]


def _execute(cursor: CursorWrapper, statements: Iterable[str]) -> None:
    """Functions call one another, in no order that could be kept: their bodies are not checked."""
    cursor.execute("SELECT set_config('check_function_bodies', 'off', true)")
    for statement in statements:
        cursor.execute(statement)
    cursor.execute("SELECT set_config('check_function_bodies', 'on', true)")
