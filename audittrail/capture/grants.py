"""Rights as they are granted, compared with the list of rights."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from audittrail import conf
from audittrail.capture import rights
from audittrail.capture.catalogue import PUBLIC, Catalogue
from audittrail.capture.differences import Difference, Kind
from audittrail.capture.expressions import quoted
from audittrail.capture.rights import NOTHING, Privilege, Privileges

Granted = Mapping[str, Privileges]
"""Role, or PUBLIC, → its privileges."""


@dataclass(frozen=True, slots=True)
class _Relation:
    """A table, view or sequence with what is granted on it. numbers: the table whose rows a sequence numbers."""

    name: str
    is_sequence: bool
    owner: str
    granted: Granted
    numbers: str

    @property
    def noun(self) -> str:
        return "SEQUENCE" if self.is_sequence else "TABLE"


def right_differences(connection: BaseDatabaseWrapper, installed: Catalogue) -> list[Difference]:
    """Rights that are missing or too many, and roles that are absent or stand for another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (namespace,) = cursor.fetchone()
        cursor.execute(_RELATIONS)
        relations = [_relation(row) for row in cursor.fetchall()]
        cursor.execute(_DEFAULTS, [installed.owner])
        defaults = {(is_global, kind): _by_role(acl) for is_global, kind, acl in cursor.fetchall()}
        cursor.execute(_USAGE)
        usage = {row[0] for row in cursor.fetchall()}
        roles = [conf.application_role(), conf.pipeline_role()]
        cursor.execute(_STANDS_FOR, [roles, installed.owner, roles, installed.owner])
        stands_for = cursor.fetchall()
    comparison = _Comparison(installed, namespace)
    return [
        *comparison.absent_roles(),
        *(_standing(role, other) for role, other in stands_for),
        *comparison.of_schema(usage),
        *(difference for each in relations for difference in comparison.of_relation(each)),
        *comparison.of_what_is_to_come(defaults),
    ]


_GRANTED = "CASE grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(grantee)::text END, privilege_type"

_RELATIONS = f"""
SELECT c.relname, c.relkind = 'S', pg_get_userbyid(c.relowner)::text,
       ARRAY(SELECT ARRAY[{_GRANTED}, '']
             FROM aclexplode(c.relacl) UNION ALL
             SELECT ARRAY[{_GRANTED}, a.attname::text]
             FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) WHERE a.attrelid = c.oid),
       coalesce((SELECT t.relname::text FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
                 WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
                   AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')), '')
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.relname"""  # noqa: S608  constants

_DEFAULTS = f"""
SELECT defaclnamespace = 0,
       CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' END,
       ARRAY(SELECT ARRAY[{_GRANTED}, '']
             FROM aclexplode(defaclacl))
FROM pg_default_acl
WHERE defaclrole = (SELECT oid FROM pg_roles WHERE rolname = %s) AND defaclobjtype IN ('r', 'S', 'f')
  AND defaclnamespace IN (0, current_schema()::regnamespace)"""  # noqa: S608  constants

_USAGE = """
SELECT rolname::text FROM pg_roles WHERE has_schema_privilege(oid, current_schema()::regnamespace, 'USAGE')"""

# Roles that have the rights of another one, by membership or as a superuser.
_STANDS_FOR = """
SELECT r.rolname::text, o.rolname::text
FROM pg_roles r JOIN pg_roles o ON o.oid <> r.oid AND pg_has_role(r.oid, o.oid, 'MEMBER')
WHERE r.rolname = ANY (%s) AND r.rolname <> %s AND (o.rolname = ANY (%s) OR o.rolname = %s)"""


def _relation(row: Sequence[Any]) -> _Relation:
    name, is_sequence, owner, acl, numbers = row
    return _Relation(name, is_sequence, owner, _by_role(acl), numbers)


def _by_role(acl: Iterable[Sequence[str]]) -> Granted:
    found: dict[str, set[Privilege]] = defaultdict(set)
    for role, privilege, column in acl:
        found[role].add((privilege, column))
    return {role: frozenset(granted) for role, granted in found.items()}


class _Comparison:
    def __init__(self, installed: Catalogue, namespace: str):
        self._installed, self._namespace = installed, namespace
        self._roles = [role for role in rights.Rights().by_role() if role != installed.owner]

    def absent_roles(self) -> Iterator[Difference]:
        for role in self._roles:
            if role not in self._installed.roles:
                remedy = f"CREATE ROLE {quoted(role)} LOGIN PASSWORD '…'; then run manage.py install_capture."
                yield Difference(Kind.RIGHT, f"role {role}", "does not exist", remedy=remedy)

    def of_schema(self, usage: Collection[str]) -> Iterator[Difference]:
        for role in self._present():
            if role not in usage:
                grant = f"GRANT USAGE ON SCHEMA {quoted(self._namespace)} TO {quoted(role)};"
                yield Difference(Kind.RIGHT, f"role {role}", f"may not use schema {self._namespace}", (grant,))

    def of_relation(self, relation: _Relation) -> Iterator[Difference]:
        """What the two roles, and PUBLIC where the table is not the CMS's own, may do besides or instead."""
        table = relation.numbers if relation.is_sequence else relation.name
        is_listed = table in rights.listed_tables()
        if is_listed and relation.owner != self._installed.owner:
            yield self._foreign(relation, Kind.OWNER, f"belongs to {relation.owner}, not to {self._installed.owner}")
        wanted = (rights.of_sequence if relation.is_sequence else rights.of_table)(table).by_role()
        roles = [role for role in self._present() if role != relation.owner]
        for role in [*roles, *([PUBLIC] if is_listed else [])]:
            granted, right = relation.granted.get(role, NOTHING), wanted.get(role, NOTHING)
            if granted == right:
                continue
            problem = f"has {_listed(granted)} on {relation.noun.lower()} {relation.name}, not {_listed(right)}"
            if relation.owner not in self._installed.members and self._is_installer:
                yield self._foreign(relation, Kind.RIGHT, f"belongs to {relation.owner}, and {role} {problem}")
            else:
                statements = _statements(f"{relation.noun} {quoted(relation.name)}", role, granted, right)
                yield Difference(Kind.RIGHT, f"role {role}", problem, statements)

    def of_what_is_to_come(self, defaults: Mapping[tuple[bool, str], Granted]) -> Iterator[Difference]:
        prefix = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(self._installed.owner)}"
        # What a schema revokes does not count against what PostgreSQL grants by itself: that is revoked for all.
        if (True, "FUNCTIONS") not in defaults or PUBLIC in defaults[True, "FUNCTIONS"]:
            revoke = f"{prefix} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
            yield Difference(Kind.RIGHT, "PUBLIC", "may call functions to come", (revoke,))
        for kind, listed in rights.COMING.items():
            wanted = listed.by_role()
            for role in self._present():
                granted, right = defaults.get((False, kind), {}).get(role, NOTHING), wanted.get(role, NOTHING)
                if granted != right:
                    problem = f"has {_listed(granted)} on {kind.lower()} to come, not {_listed(right)}"
                    schema = f"{prefix} IN SCHEMA {quoted(self._namespace)}"
                    statements = tuple(f"{schema} {each}" for each in _statements(kind, role, granted, right))
                    yield Difference(Kind.RIGHT, f"role {role}", problem, statements)

    def _present(self) -> list[str]:
        return [role for role in self._roles if role in self._installed.roles]

    @property
    def _is_installer(self) -> bool:
        return self._installed.owner in self._installed.members

    def _foreign(self, relation: _Relation, kind: Kind, problem: str) -> Difference:
        change = f"ALTER {relation.noun} {quoted(relation.name)} OWNER TO {quoted(self._installed.owner)};"
        remedy = f"As {relation.owner} or a superuser: {change} then run manage.py install_capture."
        return Difference(kind, f"{relation.noun.lower()} {relation.name}", problem, remedy=remedy)


def _standing(role: str, other: str) -> Difference:
    remedy = f"As a superuser: REVOKE {quoted(other)} FROM {quoted(role)}; ALTER ROLE {quoted(role)} NOSUPERUSER;"
    return Difference(Kind.RIGHT, f"role {role}", f"may do all that {other} may", remedy=remedy)


def _statements(what: str, role: str, granted: Privileges, wanted: Privileges) -> tuple[str, ...]:
    grantee = "PUBLIC" if role == PUBLIC else quoted(role)
    # What is revoked from a table is revoked from its columns, too, and granted to them again.
    is_of_columns = any(column for _, column in granted | wanted)
    revoked, missing = (granted, wanted) if is_of_columns else (granted - wanted, wanted - granted)
    found = [f"REVOKE {_listed(revoked)} ON {what} FROM {grantee};"] if revoked else []
    return (*found, *([f"GRANT {_listed(missing)} ON {what} TO {grantee};"] if missing else []))


def _listed(granted: Privileges) -> str:
    """As SQL lists privileges: `DELETE, UPDATE (a, b)`."""
    columns: dict[str, list[str]] = defaultdict(list)
    for privilege, column in sorted(granted):
        columns[privilege] += [quoted(column)] if column else []
    return ", ".join(f"{name} ({', '.join(of)})" if of else name for name, of in columns.items()) or "nothing"
