"""What a database's own log says was changed: rows of published tables, transaction by transaction, as committed.

The messages are those of PostgreSQL's plugin pgoutput, protocol 1 ("Logical Replication Message Formats").
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Literal, NamedTuple

import psycopg
from psycopg import sql

Row = dict[str, str | None]
"""Column → its text, None where it is null."""

OPERATIONS: dict[bytes, Literal["insert", "update", "delete"]] = {b"I": "insert", b"U": "update", b"D": "delete"}


class RowChange(NamedTuple):
    """A row before and after; None where there was none, or is none."""

    table: str
    operation: Literal["insert", "update", "delete"]
    before: Row | None
    after: Row | None


class Committed(NamedTuple):
    """A transaction and its changes, in their order."""

    xid: int
    changes: list[RowChange]


class _Table(NamedTuple):
    name: str
    columns: list[str]


class ChangeLog(AbstractContextManager["ChangeLog"]):
    """The log of some tables of a database, from the moment of entering.

    superuser: a session of nobody else's, in which each statement is a transaction. The slot is temporary: it goes with
    the session, so that it holds no log back, whatever happens.
    """

    def __init__(self, superuser: psycopg.Connection, tables: Iterable[str]):
        self._session, self._tables = superuser, list(tables)

    def __enter__(self) -> "ChangeLog":
        self._session.execute(
            "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1; SET lc_monetary = 'C'"
        )
        for table in self._tables:
            self._session.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(sql.Identifier(table)))
        names = sql.SQL(", ").join(map(sql.Identifier, self._tables))
        self._session.execute(sql.SQL("CREATE PUBLICATION witness FOR TABLE {}").format(names))
        # The name is the server's; whose it is is told by the process.
        self._slot = f"witness_{self._session.info.backend_pid}"
        self._session.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput', true)", [self._slot])
        return self

    def __exit__(self, *failure: object) -> None:
        with suppress(psycopg.OperationalError):
            self._session.execute("SELECT pg_drop_replication_slot(%s)", [self._slot])
            self._session.execute("DROP PUBLICATION witness")

    def read(self) -> list[Committed]:
        """The transactions committed since the last call, in the order of their commits."""
        # The log is read as far as it is on disk; what others committed asynchronously is there once this commit is.
        self._session.execute("SELECT pg_logical_emit_message(true, 'witness', '')")
        messages = self._session.execute(
            "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL, "
            "'proto_version', '1', 'publication_names', 'witness')",
            [self._slot],
        )
        return list(_transactions(bytes(data) for (data,) in messages))


def _transactions(messages: Iterable[bytes]) -> Iterator[Committed]:
    tables: dict[int, _Table] = {}
    xid, changes = 0, list[RowChange]()
    for message in map(_Message, messages):
        kind = message.bytes(1)
        if kind == b"B":
            _, _, xid = message.unpack("!qqi")
            changes = []
        elif kind == b"C":
            yield Committed(xid, changes)
        elif kind == b"R":
            oid, table = message.table()
            tables[oid] = table
        elif kind in OPERATIONS:
            changes.append(message.change(OPERATIONS[kind], tables))
        elif kind not in (b"Y", b"O"):
            raise ValueError(f"a message of the kind {kind!r} in the log")


class _Message:
    """A message of pgoutput, read from its start."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def bytes(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]

    def unpack(self, form: str) -> tuple:
        return struct.unpack(form, self.bytes(struct.calcsize(form)))

    def table(self) -> tuple[int, _Table]:
        (oid,) = self.unpack("!i")
        self._text()  # its schema
        name = self._text()
        _, columns = self.unpack("!bh")
        return oid, _Table(name, [self._column() for _ in range(columns)])

    def change(self, operation: Literal["insert", "update", "delete"], tables: dict[int, _Table]) -> RowChange:
        (oid,) = self.unpack("!i")
        table, before, after = tables[oid], None, None
        while part := self.bytes(1):
            if part == b"N":
                after = self._row(table, before or {})
            elif part == b"O":
                before = self._row(table, {})
            else:
                raise ValueError(f"table {table.name} has no REPLICA IDENTITY FULL")
        return RowChange(table.name, operation, before, after)

    def _text(self) -> str:
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def _column(self) -> str:
        self.unpack("!b")
        name = self._text()
        self.unpack("!ii")  # its type
        return name

    def _row(self, table: _Table, before: Row) -> Row:
        self.unpack("!h")
        return {name: self._value(before.get(name)) for name in table.columns}

    def _value(self, before: str | None) -> str | None:
        """A value; the one before where the log says that a long one stayed as it was."""
        kind = self.bytes(1)
        if kind == b"t":
            (length,) = self.unpack("!i")
            return self.bytes(length).decode()
        return None if kind == b"n" else before
