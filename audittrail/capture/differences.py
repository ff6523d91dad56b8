"""What is installed of capture, compared with what should be: each difference with what is wrong and what mends it."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from audittrail.capture import rights
from audittrail.capture.catalogue import Catalogue, InstalledFunction, InstalledTable, Place
from audittrail.capture.definition import Capture
from audittrail.capture.expressions import quoted
from audittrail.capture.objects import Function, Table, Trigger

INSTALL = "Run manage.py install_capture."

# Functions that this and earlier versions generated, or had for all models and have no more.
_GENERATED = re.compile(r"audit_(touch|states?|texts|read|actor|text_fields)(_.+)?")


class Kind(IntEnum):
    """What a difference is about, in the order in which differences are mended; the last ones are not mended here."""

    DEFINITION = 1
    TRIGGER = 2
    UNWANTED_TRIGGER = 3
    LEFTOVER = 4
    RIGHT = 5
    OWNER = 6
    MODEL = 7


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it should be.

    subject, problem: a sentence; remedy: what mends it; statements: what install executes for it, none where the role
    that installs may not; table: the one that is locked for it, '' where none is.
    """

    kind: Kind
    subject: str
    problem: str
    statements: tuple[str, ...] = ()
    table: str = ""
    remedy: str = INSTALL

    def __str__(self) -> str:
        return f"{self.subject} {self.problem}."

    @property
    def code(self) -> str:
        """Its number among Django's system checks."""
        return f"audittrail.E{self.kind:03}"


def differences(wanted: Capture, installed: Catalogue) -> list[Difference]:
    """What is wrong with objects of capture, and with who may call its functions."""
    return list(_Comparison(wanted, installed))


class _Comparison:
    def __init__(self, wanted: Capture, installed: Catalogue):
        self._wanted, self._installed = wanted, installed
        self._anew: set[str] = set()
        """Types and tables that are made anew: what mentions them goes with them."""

    def __iter__(self) -> Iterator[Difference]:
        yield from self._types()
        yield from self._tables()
        yield from self._functions()
        yield from self._owners()
        yield from self._triggers()
        yield from self._storage()
        yield from self._unwanted_triggers()
        yield from self._unwanted_functions()

    def _types(self) -> Iterator[Difference]:
        for kind in self._wanted.types:
            if kind not in self._installed.types:
                self._anew.add(kind.name)
                statements = (f"DROP TYPE IF EXISTS {quoted(kind.name)} CASCADE;", kind.creation())
                yield Difference(Kind.DEFINITION, f"type {kind.name}", "is not as it should be", statements)

    def _tables(self) -> Iterator[Difference]:
        for table in self._wanted.tables:
            found = self._installed.tables.get(("", table.name))
            if found is None:
                yield Difference(Kind.DEFINITION, f"table {table.name}", "is absent", self._creation(table))
            elif table.passing and (found.shape, found.unlogged) != (table.shape, True):
                self._anew.add(table.name)
                statements = (f"DROP TABLE {quoted(table.name)} CASCADE;", *self._creation(table))
                yield Difference(Kind.DEFINITION, f"table {table.name}", "has other columns", statements)

    def _creation(self, table: Table) -> tuple[str, ...]:
        """A new table without what default privileges grant on it."""
        roles = sorted(self._installed.roles.intersection(rights.roles()) - {self._installed.owner})
        revokes = (f"REVOKE ALL ON {quoted(table.name)} FROM {quoted(role)};" for role in roles)
        return (table.creation(), *revokes)

    def _functions(self) -> Iterator[Difference]:
        installed = {each.function.name: each for each in self._installed.functions if self._is_wanted(each)}
        for outdated in self._outdated():
            yield Difference(
                Kind.DEFINITION,
                f"function {outdated.reference}",
                "is of an earlier version",
                (f"DROP FUNCTION {outdated.reference};",),
            )
        for function in self._wanted.functions:
            if difference := self._of_function(function, installed.get(function.name)):
                yield difference

    def _outdated(self) -> Iterator[InstalledFunction]:
        """Functions of a wanted name that take or return something else: in the way of those wanted, or called in
        their place.
        """
        names = {each.name for each in self._wanted.functions}
        for each in self._installed.functions:
            if each.function.name in names and not self._is_wanted(each) and not self._mentions_anew(each.function):
                yield each

    def _is_wanted(self, installed: InstalledFunction) -> bool:
        return any(each.signature == installed.function.signature for each in self._wanted.functions)

    def _of_function(self, function: Function, installed: InstalledFunction | None) -> Difference | None:
        executors = (rights.executors(function.name) & self._installed.roles) - {self._installed.owner}
        subject = f"function {function.name}"
        others = self._installed.roles.intersection(rights.roles()) - executors - {self._installed.owner}
        revoked = ", ".join(["PUBLIC", *map(quoted, sorted(others))])
        grants = [f"REVOKE ALL ON FUNCTION {function.reference} FROM {revoked};"]
        grants += [f"GRANT EXECUTE ON FUNCTION {function.reference} TO {quoted(role)};" for role in sorted(executors)]
        whole = (function.creation(), *grants)
        if installed is None or self._mentions_anew(function):
            return Difference(Kind.DEFINITION, subject, "is absent", whole)
        if installed.owner != self._installed.owner:
            remedy = (
                f"As {installed.owner} or a superuser: ALTER FUNCTION {installed.reference} "
                f"OWNER TO {quoted(self._installed.owner)}; then run manage.py install_capture."
            )
            return Difference(
                Kind.DEFINITION, subject, f"belongs to {installed.owner}, not to {self._installed.owner}", remedy=remedy
            )
        if installed.function != function:
            return Difference(Kind.DEFINITION, subject, _other(function, installed.function), whole)
        if installed.executors != executors:
            extra = sorted(installed.executors - executors)
            revokes = [f"REVOKE ALL ON FUNCTION {function.reference} FROM {_grantee(role)};" for role in extra]
            problem = f"may be called by {', '.join(sorted(installed.executors)) or 'nobody'}"
            return Difference(
                Kind.DEFINITION,
                subject,
                f"{problem}, not by {', '.join(sorted(executors)) or 'nobody'}",
                (*revokes, *grants),
            )
        return None

    def _mentions_anew(self, function: Function) -> bool:
        words = set(re.findall(r"\w+", f"{function.arguments} {function.returns}"))
        return bool(words & self._anew)

    def _owners(self) -> Iterator[Difference]:
        """Who owns a table can switch its triggers off."""
        owner = self._installed.owner
        for place in sorted(self._watched()):
            table = self._installed.tables[place]
            if table.owner != owner:
                problem = f"belongs to {table.owner}, who can switch capture off"
                yield Difference(Kind.OWNER, f"table {_name(place)}", problem, remedy=_ownership(table, owner))

    def _watched(self) -> set[Place]:
        """Tables with triggers, and their parts."""
        tops = {(each.namespace, each.table) for each in self._wanted.triggers} & set(self._installed.tables)
        return tops.union(*(self._installed.tables[top].parts for top in tops))

    def _triggers(self) -> Iterator[Difference]:
        own = {each.name for each in self._wanted.tables}
        for trigger in self._wanted.triggers:
            if trigger.table in own:
                yield from self._of_own_table(trigger)
            elif table := self._installed.tables.get((trigger.namespace, trigger.table)):
                for place in (table.place, *table.parts):
                    yield from self._of_trigger(trigger, table, self._installed.tables[place])

    def _of_own_table(self, trigger: Trigger) -> Iterator[Difference]:
        """In one transaction with the table and the function."""
        found = self._trigger_at(trigger.place)
        if found != trigger:
            yield Difference(
                Kind.DEFINITION,
                f"trigger {trigger.name} of {trigger.table}",
                _otherwise(trigger, found),
                (trigger.creation(),),
            )

    def _of_trigger(self, source: Trigger, top: InstalledTable, table: InstalledTable) -> Iterator[Difference]:
        """The trigger of a table, or of a part of it: rows of partitions fire what PostgreSQL has cloned for them,
        those of tables that inherit have triggers of their own, and so has TRUNCATE.
        """
        wanted = replace(source, namespace=table.place[0], table=table.place[1])
        found = self._trigger_at(wanted.place)
        if found == wanted or (table.kind == "f" and wanted.level == "STATEMENT"):
            return
        created, holder = (source, top) if wanted.level == "ROW" and table.is_partition else (wanted, table)
        subject, problem = f"trigger {wanted.name} of {_name(table.place)}", _otherwise(wanted, found)
        if self._is_installer and holder.owner not in self._installed.members:
            yield Difference(Kind.TRIGGER, subject, problem, remedy=_ownership(holder, self._installed.owner))
        else:
            yield Difference(Kind.TRIGGER, subject, problem, (created.creation(),), created.quoted_table)

    @property
    def _is_installer(self) -> bool:
        """Whether who asks is who installs: then its memberships tell what it may do."""
        return self._installed.owner in self._installed.members

    def _trigger_at(self, place: tuple[str, str, str]) -> Trigger | None:
        if place[1] in self._anew:
            return None
        return next((each.trigger for each in self._installed.triggers if each.trigger.place == place), None)

    def _storage(self) -> Iterator[Difference]:
        for each in self._wanted.storage:
            table = self._installed.tables.get(("", each.table))
            if table and not (table.options >= set(each.options) and table.compressed >= set(each.compressed)):
                yield Difference(
                    Kind.TRIGGER, f"table {each.table}", "is stored otherwise", (each.change(),), quoted(each.table)
                )

    def _unwanted_triggers(self) -> Iterator[Difference]:
        wanted = {
            (*place, trigger.name)
            for trigger in self._wanted.triggers
            if (table := self._installed.tables.get((trigger.namespace, trigger.table)))
            for place in (table.place, *table.parts)
        }
        functions = {each.name for each in self._wanted.functions}
        for trigger, cloned in ((each.trigger, each.cloned) for each in self._installed.triggers):
            is_ours = trigger.function in functions or _GENERATED.fullmatch(trigger.function)
            if is_ours and not cloned and trigger.place not in wanted and trigger.table not in self._anew:
                subject = f"trigger {trigger.name} of {_name((trigger.namespace, trigger.table))}"
                statements = (trigger.removal(),)
                yield Difference(Kind.UNWANTED_TRIGGER, subject, "is wanted no more", statements, trigger.quoted_table)

    def _unwanted_functions(self) -> Iterator[Difference]:
        names = {each.name for each in self._wanted.functions}
        for each in self._installed.functions:
            if _GENERATED.fullmatch(each.function.name) and each.function.name not in names:
                drop = f"DROP FUNCTION IF EXISTS {each.reference};"
                yield Difference(Kind.LEFTOVER, f"function {each.reference}", "is wanted no more", (drop,))


def _other(wanted: Function, found: Function) -> str:
    for attribute, problem in (
        ("body", "has another body"),
        ("settings", "has other settings"),
        ("security_definer", "runs as another role"),
        ("language", "is in another language"),
    ):
        if getattr(wanted, attribute) != getattr(found, attribute):
            return problem
    return "has other options"


def _otherwise(wanted: Trigger, found: Trigger | None) -> str:
    if found is None:
        return "is absent"
    if not found.enabled:
        return "is disabled"
    if found.function != wanted.function:
        return f"calls {found.function}"
    return "fires at other times"


def _ownership(table: InstalledTable, owner: str) -> str:
    kind = "FOREIGN TABLE" if table.kind == "f" else "TABLE"
    return (
        f"As {table.owner} or a superuser: ALTER {kind} {_name(table.place, quoted)} OWNER TO {quoted(owner)}; "
        "then run manage.py install_capture."
    )


def _name(place: Place, form: Callable[[str], str] = str) -> str:
    return ".".join(form(part) for part in place if part)


def _grantee(role: str) -> str:
    return "PUBLIC" if role == "public" else quoted(role)


def named(found: Iterable[Difference]) -> list[str]:
    """Each difference with its remedy, for people."""
    return [f"{each} {each.remedy}" for each in found]
