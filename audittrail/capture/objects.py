"""What capture consists of in the database: types, functions and triggers, described as PostgreSQL's catalogue does.

Two descriptions are equal where the objects do the same, so what is installed can be compared with what should be.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from audittrail.capture.expressions import literal, quoted

# Parameters of functions that hold a list of names, not one value.
_LISTS_OF_NAMES = frozenset({"search_path"})

Settings = tuple[tuple[str, str], ...]
"""Names, in lower case, and values of what a function sets while it runs, in order of the names."""


def settings(values: Iterable[tuple[str, str]]) -> Settings:
    """What a function sets, in the form that can be compared."""
    return tuple(sorted((name.lower(), value.replace('"', "")) for name, value in values))


@dataclass(frozen=True, slots=True)
class CompositeType:
    """A type of rows. columns: names and types."""

    name: str
    columns: tuple[tuple[str, str], ...]

    def creation(self) -> str:
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in self.columns)
        return f"CREATE TYPE {quoted(self.name)} AS ({columns});"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of capture that is no model. columns: names, types and constraints; passing: its rows last no longer than
    a transaction, so that it is not logged, and can be made anew.
    """

    name: str
    columns: tuple[tuple[str, str, str], ...]
    key: tuple[str, ...] = ()
    options: str = ""
    passing: bool = False

    @property
    def shape(self) -> tuple[tuple[str, str], ...]:
        """Names and types of its columns."""
        return tuple((name, kind) for name, kind, _ in self.columns)

    def creation(self) -> str:
        parts = [f"{quoted(name)} {kind} {constraint}".rstrip() for name, kind, constraint in self.columns]
        if self.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(quoted, self.key))})")
        unlogged = "UNLOGGED " if self.passing else ""
        options = f" WITH ({self.options})" if self.options else ""
        return f"CREATE {unlogged}TABLE {quoted(self.name)} ({', '.join(parts)}){options};"


@dataclass(frozen=True, slots=True)
class Storage:
    """How a table of the trail is stored. options: as pg_class.reloptions has them; compressed: columns under LZ4."""

    table: str
    options: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()

    def change(self) -> str:
        actions = [f"ALTER {quoted(column)} SET COMPRESSION lz4" for column in self.compressed]
        if self.options:
            actions.append(f"SET ({', '.join(self.options)})")
        return f"ALTER TABLE {quoted(self.table)} {', '.join(actions)};"


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    arguments, returns: as pg_get_function_arguments and pg_get_function_result print them; volatility: VOLATILE, STABLE
    or IMMUTABLE.
    """

    name: str
    arguments: str
    returns: str
    language: str
    body: str
    volatility: str = "VOLATILE"
    parallel_safe: bool = False
    security_definer: bool = False
    strict: bool = False
    settings: Settings = ()

    @property
    def signature(self) -> tuple[str, str, str]:
        """What CREATE OR REPLACE cannot change."""
        return self.name, self.arguments, self.returns

    @property
    def reference(self) -> str:
        """The function as other statements name it."""
        types = (argument.partition(" DEFAULT ")[0] for argument in self.arguments.split(", "))
        return f"{quoted(self.name)}({', '.join(types)})"

    def creation(self) -> str:
        options = [
            f"LANGUAGE {self.language} {self.volatility}",
            *(["PARALLEL SAFE"] if self.parallel_safe else []),
            *(["STRICT"] if self.strict else []),
            *(["SECURITY DEFINER"] if self.security_definer else []),
            *(f"SET {name} = {_value(name, value)}" for name, value in self.settings),
        ]
        return (
            f"CREATE OR REPLACE FUNCTION {quoted(self.name)}({self.arguments}) RETURNS {self.returns}\n"
            f"{' '.join(options)} AS $capture${self.body}$capture$;"
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, of rows unless it is one of TRUNCATE.

    table: its name, in the trail's schema unless `namespace` names another; events: of INSERT, UPDATE, DELETE or
    TRUNCATE; deferred: fires when the transaction commits; when: its condition as pg_get_triggerdef prints it; columns:
    the only ones whose update fires it.
    """

    name: str
    table: str
    function: str
    events: frozenset[str]
    timing: str = "AFTER"
    level: str = "ROW"
    deferred: bool = False
    when: str = ""
    columns: tuple[str, ...] = ()
    has_arguments: bool = False
    has_transition_tables: bool = False
    enabled: bool = True
    namespace: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """Its table and its name there."""
        return self.namespace, self.table, self.name

    @property
    def quoted_table(self) -> str:
        return ".".join(quoted(part) for part in (self.namespace, self.table) if part)

    def creation(self) -> str:
        """Puts it in place of one of its name, enabled, whatever was there before."""
        create = "CREATE OR REPLACE TRIGGER"
        deferrable = when = ""
        if self.deferred:
            create = f"{self.removal()}\nCREATE CONSTRAINT TRIGGER"
            deferrable = " DEFERRABLE INITIALLY DEFERRED"
        if self.when:
            when = f" WHEN ({self.when})"
        return (
            f"{create} {quoted(self.name)} {self.timing} {' OR '.join(sorted(self.events))} ON {self.quoted_table}"
            f"{deferrable} FOR EACH {self.level}{when} EXECUTE FUNCTION {quoted(self.function)}();"
        )

    def removal(self) -> str:
        return f"DROP TRIGGER IF EXISTS {quoted(self.name)} ON {self.quoted_table};"


@dataclass(frozen=True, slots=True)
class Watch:
    """A function and the triggers by which a table calls it."""

    function: Function
    triggers: tuple[Trigger, ...]


def row_trigger(name: str, table: str, function: str, events: str) -> Trigger:
    """A trigger that fires after each row is changed. events: as in SQL, `INSERT OR UPDATE`."""
    return Trigger(name, table, function, frozenset(events.split(" OR ")))


def truncate_trigger(table: str) -> Trigger:
    """The trigger that refuses TRUNCATE, one for a table."""
    return Trigger(
        "0_audit_refuse_truncate", table, "audit_refuse_truncate", frozenset({"TRUNCATE"}), "BEFORE", "STATEMENT"
    )


def _value(name: str, value: str) -> str:
    if name in _LISTS_OF_NAMES:
        return ", ".join(quoted(part.strip()) for part in value.split(","))
    return literal(value)
