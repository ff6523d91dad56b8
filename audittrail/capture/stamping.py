"""Tells PostgreSQL who acts, in the same round trip as the first statement of a transaction that may change something.

Django calls an execute wrapper before each statement of a connection. What the open transaction was told is known only
as long as that is certainly true: a new transaction was told nothing, and a savepoint's rollback may have undone it.
"""

import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import psycopg
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus
from psycopg.sql import quote

from audittrail.capture.acting import current

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]

ALIASES = frozenset({"default", "owner"})
"""Connections by which a site changes its tables: its own, and that of migrations."""

_COMMENTS = r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*"
_CONTROL = re.compile(
    _COMMENTS + r"(SAVEPOINT|RELEASE|ROLLBACK|ABORT|COMMIT|END|BEGIN|START|SET|RESET|SHOW|LISTEN|NOTIFY)\b",
    re.IGNORECASE | re.DOTALL,
)
_CHANGE = re.compile(r"(?:\A|;)" + _COMMENTS + r"(INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE | re.DOTALL)
_FORGETTING = re.compile(r"\b(ROLLBACK|ABORT|COMMIT|RESET|DISCARD|audit\.context)\b", re.IGNORECASE)


class Stamp:
    """The execute wrapper of one connection.

    Within a transaction every statement is stamped; outside of one those that change rows, which with their stamp are
    one transaction. A function that writes, called by SELECT outside of a transaction, is not: PostgreSQL is told
    nothing of who reads.
    """

    def __init__(self, connection: BaseDatabaseWrapper):
        self._connection = connection
        self._told: str | None = ""
        """What the open transaction was told, '' for nothing; None where that is not certain."""

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._is_idle:
            self._told = ""
        if self._connection.needs_rollback or not self._is_stamped(sql):
            return self._send(execute, sql, params, many, context)
        wanted = _setting()
        if wanted == self._told:
            return self._send(execute, sql, params, many, context)
        if many or not isinstance(sql, str) or self._is_sent_otherwise(context["cursor"].cursor):
            with nullcontext() if self._is_in_transaction else transaction.atomic(using=self._connection.alias):
                self._tell(wanted)
                return execute(sql, params, many, context)
        prefix = f"SELECT {self._call(quote(wanted, self._connection.connection))}; "
        self._told = None
        answer = execute((prefix if params is None else prefix.replace("%", "%%")) + sql, params, many, context)
        context["cursor"].cursor.nextset()
        self._told = None if _forgets(sql) else wanted
        return answer

    def tell(self) -> None:
        """Now, for what Django does not send."""
        wanted = _setting()
        if wanted != ("" if self._is_idle else self._told):
            self._tell(wanted)

    def _send(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        try:
            return execute(sql, params, many, context)
        finally:
            if not isinstance(sql, str) or _forgets(sql):
                self._told = None

    def _tell(self, wanted: str) -> None:
        with self._connection.connection.cursor() as cursor:
            cursor.execute(f"SELECT {self._call('%s')}", [wanted])
        self._told = wanted

    def _call(self, argument: str) -> str:
        """In a transaction that has done nothing yet there is nothing to fold."""
        return f"set_config('audit.context', {argument}, true)" if self._is_idle else f"audit_enter({argument})"

    def _is_stamped(self, sql: Any) -> bool:
        if not isinstance(sql, str):
            return self._is_in_transaction
        if self._is_in_transaction:
            return not _CONTROL.match(sql) or _is_several(sql)
        # A DO block may end its transaction, which it may not where its message has another statement.
        return bool(_CHANGE.match(sql) if "$" in sql else _CHANGE.search(sql))

    def _is_sent_otherwise(self, cursor: object) -> bool:
        """Whether psycopg sends one statement at a time: it binds parameters in the server, or declares a cursor."""
        return isinstance(cursor, psycopg.ServerCursor) or not isinstance(cursor, psycopg.ClientCursor)

    @property
    def _is_idle(self) -> bool:
        idle: bool = self._connection.connection.pgconn.transaction_status == TransactionStatus.IDLE
        return idle

    @property
    def _is_in_transaction(self) -> bool:
        return self._connection.in_atomic_block or not self._connection.get_autocommit() or not self._is_idle


def stamp_of(connection: BaseDatabaseWrapper) -> Stamp:
    """The stamp of a connection, given to it if it has none."""
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Stamp):
            return wrapper
    stamp = Stamp(connection)
    connection.execute_wrappers.append(stamp)
    if connection.connection is not None:
        _stamp_copies(connection, stamp)
    return stamp


def stamp_new_connection(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Receiver of `connection_created`."""
    if connection.alias in ALIASES and connection.vendor == "postgresql":
        _stamp_copies(connection, stamp_of(connection))


def _stamp_copies(connection: BaseDatabaseWrapper, stamp: Stamp) -> None:
    """COPY goes to psycopg's cursor without Django's wrappers: it is told before."""
    session = connection.connection
    factory = session.cursor_factory
    if hasattr(factory, "stamp"):
        return

    class StampedCursor(factory):  # type: ignore[misc, valid-type]  # the class that the backend has chosen
        def copy(self, *args: Any, **kwargs: Any) -> Any:
            self.stamp.tell()
            return super().copy(*args, **kwargs)

    StampedCursor.stamp = stamp
    session.cursor_factory = StampedCursor


def _forgets(sql: str) -> bool:
    """Whether a message may undo the stamp, wherever in it; what is quoted in dollars is code that is not run now, or
    a block.
    """
    return "$" not in sql and bool(_FORGETTING.search(sql))


def _is_several(sql: str) -> bool:
    """Whether a message may have more than one statement."""
    return ";" in sql.rstrip().removesuffix(";")


def _setting() -> str:
    context = current()
    return context.setting if context else ""
