"""Whether capture is on: what is installed, held against what this code would install, in a database as it is."""

from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail.capture import catalogue, schema
from audittrail.capture.catalogue import Catalogue
from audittrail.capture.coverage import MIGRATE, uncaptured
from audittrail.capture.definition import Capture, defined_for
from audittrail.capture.differences import Difference, Kind, differences
from audittrail.capture.grants import right_differences
from audittrail.capture.schema import EarlierNames


@dataclass(frozen=True)
class Comparison:
    """What should be installed, what is, and what differs, in the order in which it is mended."""

    capture: Capture
    installed: Catalogue
    differences: list[Difference]


@dataclass(frozen=True)
class Inspection:
    """tables: how many capture watches; problems: all that is not as it should be."""

    tables: int
    problems: list[Difference]

    @property
    def is_on(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        tables = f"{self.tables} table{'' if self.tables == 1 else 's'}"
        if self.is_on:
            return f"Capture is on for {tables}."
        return f"Capture is not as it should be for {tables}: changes may pass unrecorded."


def inspect(using: str = DEFAULT_DB_ALIAS) -> Inspection:
    """All that is wrong with capture.  Any role may ask.  Raises OperationalError where the database is away."""
    connection = connections[using]
    tables = schema.read(connection)
    if not has_trail(connection):
        absent = Difference(Kind.MODEL, "the audit trail", "has no tables in this database", remedy=MIGRATE)
        return Inspection(0, [absent])
    found = _comparison(connection, tables)
    problems = [*found.differences, *right_differences(connection, found.installed), *uncaptured(connection, tables)]
    watched = {(each.namespace, each.table) for each in found.capture.triggers} - {("", "audit_touched")}
    return Inspection(len(watched), problems)


def compare(connection: BaseDatabaseWrapper, earlier: EarlierNames | None = None) -> Comparison:
    """How the database differs from what this code would install for the tables that are there."""
    return _comparison(connection, schema.read(connection, earlier))


def _comparison(connection: BaseDatabaseWrapper, tables: schema.Schema) -> Comparison:
    capture = defined_for(tables)
    names = {trigger.table for trigger in capture.triggers} | {each.name for each in capture.tables}
    installed = catalogue.read(connection, names | {each.table for each in capture.storage})
    found = differences(capture, installed)
    return Comparison(capture, installed, sorted(found, key=lambda each: (each.kind, each.table)))


def has_trail(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database has the trail's tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('audittrail_head') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def place_of(connection: BaseDatabaseWrapper) -> tuple[object, ...]:
    """What tells one database from another, whichever role is connected."""
    settings = connection.settings_dict
    return settings["HOST"], settings["PORT"], settings["NAME"]
