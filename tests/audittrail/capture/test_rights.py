"""The database holds exactly the rights that are listed, and what the list keeps out is refused."""

from dataclasses import replace

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections

from audittrail.capture import rights
from audittrail.capture.grants import right_differences
from audittrail.capture.inspection import compare, inspect
from audittrail.capture.install import install
from audittrail.models import OutboxEvent
from testkit.audittrail.attacks import article

pytestmark = pytest.mark.usefixtures("fresh_database")

ROLES = {"audit_app": "site", "audit_pipeline": "pipeline"}
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def rows(alias: str, statement: str, *parameters: str | list[str]) -> list[tuple]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def relations(kinds: str) -> list[str]:
    return [
        name
        for (name,) in rows(
            "owner",
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind::text = ANY (%s)",
            list(kinds),
        )
    ]


def holds(role: str, table: str, privilege: str) -> bool:
    return rows("owner", "SELECT has_table_privilege(%s, %s, %s)", role, table, privilege)[0][0]


@pytest.mark.parametrize("role", ROLES)
def test_every_table_has_the_listed_rights_and_no_other(role):
    for table in relations("rpvm"):
        listed = getattr(rights.of_table(table), ROLES[role])
        held = {privilege for privilege in PRIVILEGES if holds(role, table, privilege)}
        assert held == {name for name, column in listed if not column}, table


@pytest.mark.parametrize("role", ROLES)
def test_every_column_has_the_listed_rights_and_no_other(role):
    statement = """
        SELECT c.relname, a.attname, p.name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p (name)
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT a.attisdropped
          AND has_column_privilege(%s, c.oid, a.attnum, p.name) AND NOT has_table_privilege(%s, c.oid, p.name)"""
    listed = {
        (table, column, name)
        for table, each in rights.listed_tables().items()
        for name, column in getattr(each, ROLES[role])
        if column
    }
    assert set(rows("owner", statement, role, role)) == listed


@pytest.mark.parametrize("role", ROLES)
def test_every_function_is_called_by_those_listed_only(role):
    statement = (
        "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
        "AND has_function_privilege(%s, oid, 'EXECUTE')"
    )
    called = {name for (name,) in rows("owner", statement, role)}
    assert called == {name for name, each in rights.listed_functions().items() if getattr(each, ROLES[role])}


def test_a_sequence_is_used_by_who_adds_rows():
    statement = (
        "SELECT c.relname, s.oid::regclass::text, has_sequence_privilege('audit_app', s.oid, 'USAGE'), "
        "has_sequence_privilege('audit_pipeline', s.oid, 'USAGE') FROM pg_class s JOIN pg_depend d ON d.objid = s.oid "
        "AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "
        "JOIN pg_class c ON c.oid = d.refobjid WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace"
    )
    found = rows("owner", statement)
    assert len(found) > 10
    for table, sequence, site, pipeline in found:
        listed = rights.of_table(table)
        assert site == (("INSERT", "") in listed.site), sequence
        assert pipeline == (("INSERT", "") in listed.pipeline), sequence


def test_every_table_of_trail_and_consumers_is_listed():
    tables = {
        model._meta.db_table
        for label in ("audittrail", "consumers")
        for model in apps.get_app_config(label).get_models()
        if not model._meta.proxy
    }
    assert tables | {"audit_touched", "audit_mask_secret", "django_migrations"} == set(rights.listed_tables())


def test_nobody_else_may_do_anything():
    """PUBLIC stands for every role that is none of the three: the registry's, for one."""
    acl = "SELECT count(*) FROM {} CROSS JOIN LATERAL aclexplode({}) WHERE grantee = 0 AND {} = 'public'::regnamespace"
    functions = "coalesce(proacl, acldefault('f', proowner))"
    assert rows("owner", acl.format("pg_proc", functions, "pronamespace")) == [(0,)]
    assert rows("owner", acl.format("pg_class", "relacl", "relnamespace")) == [(0,)]


@pytest.mark.parametrize("call", ["audit_enter('')", "audit_record_save('newsroom.article', '1')", "audit_fold_now()"])
def test_a_function_to_come_and_those_of_capture_are_not_for_every_role(call):
    rows("owner", "CREATE FUNCTION to_come() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert rows("default", "SELECT to_come()") == [(1,)]
    for statement in ("SELECT to_come()", f"SELECT {call}"):
        with pytest.raises(DatabaseError, match="permission denied for function"):
            rows("pipeline", statement)


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE consumers_sinkoffset SET "offset" = 1000000',
        "INSERT INTO consumers_sinkoffset (topic_id, topic, partition) VALUES ('i', 't', 0)",
        "DELETE FROM consumers_deadletter",
        "UPDATE consumers_deadletter SET replayed_at = now()",
        "DELETE FROM consumers_controlaction",
        "UPDATE consumers_controlaction SET user_id = NULL",
        "DELETE FROM consumers_stagecontrol",
        "UPDATE consumers_relaylane SET done = 0",
        "DELETE FROM consumers_member",
        "INSERT INTO consumers_lagsample (stage, at, lag) VALUES ('search', now(), 0)",
        "TRUNCATE consumers_deadletter",
        "UPDATE audittrail_verifiedhead SET sequence = 0",
        "SELECT * FROM audit_mask_secret",
        "CREATE TRIGGER mine BEFORE UPDATE ON newsroom_article EXECUTE FUNCTION audit_refuse_truncate()",
    ],
)
def test_the_site_cannot_move_skip_or_clear_what_is_the_pipeline_s(statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        rows("default", statement)


@pytest.mark.parametrize("table", ["auth_user", "django_session", "newsroom_article", "newsroom_author", "auth_group"])
def test_the_pipeline_reads_no_password_no_session_and_nothing_of_the_cms(table):
    get_user_model().objects.create_user("editor", "", "secret")
    with pytest.raises(DatabaseError, match="permission denied"):
        rows("pipeline", f"SELECT * FROM {table}")


BROAD = """
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO audit_app;
    GRANT ALL ON newsroom_article TO audit_app;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO audit_pipeline;
    GRANT SELECT ON audittrail_outboxevent TO PUBLIC;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO audit_app, audit_pipeline;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO audit_pipeline;
    ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
    REVOKE UPDATE (published_at) ON audittrail_outboxevent FROM audit_pipeline;
    REVOKE INSERT ON newsroom_tag FROM audit_app;
    REVOKE ALL ON SCHEMA public FROM PUBLIC, audit_app, audit_pipeline;"""


def acls() -> list[tuple]:
    return rows(
        "owner",
        "SELECT relname, grantee::regrole::text, privilege_type FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) "
        "WHERE relnamespace = 'public'::regnamespace AND grantee <> relowner ORDER BY 1, 2, 3",
    )


def test_broad_grants_of_an_earlier_version_are_brought_to_the_list():
    before = acls()
    rows("owner", BROAD)
    found = [str(each) for each in inspect("owner").problems]
    assert "role audit_pipeline has SELECT on table auth_user, not nothing." in found
    assert "PUBLIC may call functions to come." in found
    assert install("owner") == []
    assert acls() == before
    article()
    assert OutboxEvent.objects.count() == 1


def test_a_table_of_the_trail_that_is_not_the_owner_s_is_named_with_what_mends_it():
    rows("owner", "GRANT CREATE ON SCHEMA public TO audit_app; ALTER TABLE consumers_relaylane OWNER TO audit_app")
    (left,) = install("owner")
    assert str(left) == "table consumers_relaylane belongs to audit_app, not to audit_owner."
    assert 'As audit_app or a superuser: ALTER TABLE "consumers_relaylane" OWNER TO "audit_owner";' in left.remedy


def test_a_right_that_the_owner_cannot_grant_is_named_with_what_mends_it():
    """And a table that it may not read keeps nothing else from being installed."""
    rows("owner", "GRANT CREATE ON SCHEMA public TO audit_pipeline")
    rows("pipeline", "CREATE TABLE legacy (id int)")
    installed = replace(compare(connections["owner"]).installed, members=frozenset({"audit_owner"}))
    (left,) = right_differences(connections["owner"], installed)
    assert left.statements == ()
    assert str(left).startswith("table legacy belongs to audit_pipeline, and audit_app has nothing on table legacy")
    assert 'As audit_pipeline or a superuser: ALTER TABLE "legacy" OWNER TO "audit_owner";' in left.remedy


def test_a_role_that_does_not_exist_is_named_and_the_rest_is_installed(monkeypatch):
    monkeypatch.setenv("DATABASE_PIPELINE_ROLE", "absent")
    problems = {str(each): each.remedy for each in install("owner")}
    assert 'CREATE ROLE "absent"' in problems["role absent does not exist."]
    article()
    assert OutboxEvent.objects.count() == 1


def test_what_the_list_leaves_out_is_what_keeps_them_out():
    """Each refusal above is the list's doing: with a right more, the same statement passes."""
    rows("owner", "GRANT UPDATE ON consumers_sinkoffset TO audit_app; GRANT SELECT ON auth_user TO audit_pipeline")
    rows("default", 'UPDATE consumers_sinkoffset SET "offset" = 1000000')
    rows("pipeline", "SELECT * FROM auth_user")
    assert len(inspect().problems) == 2


def test_another_role_of_the_server_reads_and_calls_nothing():
    """The registry has a role on the same server."""
    assert (
        rows(
            "owner",
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
            "AND has_table_privilege('registry', oid, 'SELECT, INSERT, UPDATE, DELETE') UNION ALL "
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "AND has_function_privilege('registry', oid, 'EXECUTE')",
        )
        == []
    )
