"""Who may do what in the database: one list, from which rights are granted and with which they are compared.

Three roles: the owner, who migrates, may do all; the site writes the CMS's own tables and reads the trail; the pipeline
writes what it keeps and adds to the trail, and reads nothing of the CMS.  What is not listed is the CMS's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from audittrail import conf

Privilege = tuple[str, str]
"""Of a table, SELECT for example; with the name of a column where it is of this column only, else with ''."""

Privileges = frozenset[Privilege]


def privileges(*names: str) -> Privileges:
    """Privileges of whole tables, sequences or functions."""
    return frozenset((name, "") for name in names)


def of_columns(name: str, *columns: str) -> Privileges:
    """A privilege of these columns of a table."""
    return frozenset((name, column) for column in columns)


NOTHING: Privileges = frozenset()
READ = privileges("SELECT")
ADD = privileges("SELECT", "INSERT")
ADD_AND_CHANGE = privileges("SELECT", "INSERT", "UPDATE")
ALL = privileges("SELECT", "INSERT", "UPDATE", "DELETE")
COUNT = privileges("SELECT", "USAGE")
CALL = privileges("EXECUTE")


@dataclass(frozen=True, slots=True)
class Rights:
    """What the two roles may do with an object; nobody else but its owner may do anything."""

    site: Privileges = NOTHING
    pipeline: Privileges = NOTHING

    def by_role(self) -> dict[str, Privileges]:
        """Role → its privileges; those of both where one role is site and pipeline."""
        found = {conf.application_role(): self.site}
        pipeline = conf.pipeline_role()
        found[pipeline] = found.get(pipeline, NOTHING) | self.pipeline
        return found


OF_THE_SITE = Rights(site=ALL)
"""A table of the CMS's own."""

_tables: dict[str, Rights] = {
    # What a migration to come runs, the owner runs.
    "django_migrations": Rights(site=READ),
    "audit_touched": Rights(),
    "audit_mask_secret": Rights(),
    "audittrail_head": Rights(READ, READ),
    "audittrail_actorversion": Rights(READ, READ),
    "audittrail_outboxevent": Rights(
        READ,
        privileges("SELECT", "DELETE") | of_columns("UPDATE", "published_at", "set_aside", "amendments"),
    ),
    "audittrail_auditevent": Rights(READ, ADD),
    "audittrail_fork": Rights(READ, ADD),
    "audittrail_verifiedhead": Rights(READ, ADD_AND_CHANGE),
}

_FUNCTIONS = {
    "audit_enter": Rights(site=CALL),
    "audit_record_save": Rights(site=CALL),
    "audit_fold_now": Rights(site=CALL),
    "audit_drift": Rights(site=CALL),
    "audit_request_keyframe": Rights(pipeline=CALL),
}


def list_tables(rights: Mapping[str, Rights]) -> None:
    """Add the tables of an app that is no part of the CMS: without it, the site may write them and the pipeline may not
    read them.
    """
    _tables.update(rights)


def listed_tables() -> dict[str, Rights]:
    """The tables that are not the CMS's own."""
    return dict(_tables)


def listed_functions() -> dict[str, Rights]:
    """The functions of capture that anybody but their owner may call."""
    return dict(_FUNCTIONS)


def roles() -> list[str]:
    """The roles that rights are granted to."""
    return list(Rights().by_role())


def of_table(name: str) -> Rights:
    return _tables.get(name, OF_THE_SITE)


def of_sequence(table: str) -> Rights:
    """Of a sequence that numbers the rows of a table, '' for one of none: who adds rows uses it."""
    rights = of_table(table)
    return Rights(
        COUNT if ("INSERT", "") in rights.site else NOTHING, COUNT if ("INSERT", "") in rights.pipeline else NOTHING
    )


def executors(function: str) -> frozenset[str]:
    """The roles that may call a function of capture, its owner apart."""
    rights = _FUNCTIONS.get(function, Rights()).by_role()
    return frozenset(role for role, granted in rights.items() if granted)


# Of what the owner makes in the trail's schema from now on: it is the CMS's own until it is listed.
COMING = {
    "TABLES": OF_THE_SITE,
    "SEQUENCES": Rights(site=COUNT),
    "FUNCTIONS": Rights(site=CALL),
}
