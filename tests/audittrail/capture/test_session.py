"""Nothing that a session of the site's role can set, name or order decides whether a change is captured."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections

from audittrail.models import OutboxEvent
from newsroom.models import Article
from testkit.audittrail.attacks import Session, article, session_as_site

pytestmark = pytest.mark.usefixtures("fresh_database")


@pytest.fixture
def session(fresh_database) -> Iterator[Session]:
    with session_as_site(fresh_database) as session:
        yield session


def events(pk: int) -> list[OutboxEvent]:
    return list(OutboxEvent.objects.filter(article_id=f"newsroom.article:{pk}").order_by("sequence"))


def titles(pk: int) -> list[str]:
    return [event.title for event in events(pk)]


@pytest.mark.parametrize("name", ["audit.leading", "audit.fold_waits_in", "audit.touched", "audit.anything"])
def test_a_setting_with_the_transactions_number(session, name):
    pk = article()
    with session.transaction():
        session.execute(f"SELECT set_config('{name}', pg_current_xact_id()::text, true)")
        session.execute("UPDATE newsroom_article SET headline = 'set' WHERE id = %s", [pk])
    with session.transaction():
        session.execute(f"SELECT set_config('{name}', pg_current_xact_id()::text, false)")
        session.execute("DELETE FROM newsroom_article WHERE id = %s", [pk])
    assert [event.operation for event in events(pk)] == ["create", "update", "delete"]


@pytest.mark.parametrize("names", ["ALL", "audit_fold"])
def test_constraints_set_immediate_at_any_moment(session, names):
    pk = article()
    with session.transaction():
        session.execute("UPDATE newsroom_article SET headline = 'one' WHERE id = %s", [pk])
        session.execute(f"SET CONSTRAINTS {names} IMMEDIATE")
        session.execute("UPDATE newsroom_article SET headline = 'two' WHERE id = %s", [pk])
        session.execute("UPDATE newsroom_article SET headline = 'three' WHERE id = %s", [pk])
        session.execute(f"SET CONSTRAINTS {names} DEFERRED")
        session.execute("UPDATE newsroom_article SET headline = 'four' WHERE id = %s", [pk])
    assert titles(pk) == ["Bridge", "one", "four"]
    assert no_touch_is_left()


def no_touch_is_left() -> bool:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_touched")
        return cursor.fetchone() == (0,)


def test_a_savepoint_around_the_first_touch(session):
    pk, other = article(), article()
    with session.transaction():
        session.execute("SAVEPOINT one")
        session.execute("UPDATE newsroom_article SET headline = 'undone' WHERE id = %s", [pk])
        session.execute("ROLLBACK TO SAVEPOINT one")
        session.execute("UPDATE newsroom_article SET headline = 'kept' WHERE id = %s", [other])
        session.execute("SAVEPOINT two")
        session.execute("SELECT audit_fold_now()")
        session.execute("UPDATE newsroom_article SET headline = 'undone' WHERE id = %s", [pk])
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.execute("ROLLBACK TO SAVEPOINT two")
        session.execute("UPDATE newsroom_article SET slug = 'kept' WHERE id = %s", [pk])
    assert (titles(pk), titles(other)) == (["Bridge", "Bridge"], ["Bridge", "kept"])
    assert [change["field"] for change in events(pk)[-1].changes] == ["slug"]


@pytest.mark.parametrize(
    "preparation",
    [
        "CREATE TEMP TABLE audit_touched (xid xid8, article_id text)",
        "CREATE TEMP TABLE audittrail_head (article_id text)",
        "CREATE TEMP TABLE audittrail_outboxevent (id bigint)",
        "CREATE TEMP TABLE newsroom_article_tags (article_id bigint, tag_id bigint)",
        "SET search_path = pg_temp, public",
        "SET search_path = ''",
        "SET plan_cache_mode = force_custom_plan",
        "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off",
        "SET jit = on; SET jit_above_cost = 0",
        "SET check_function_bodies = off",
        "SET transform_null_equals = on",
        "SET array_nulls = off",
        "SET standard_conforming_strings = off",
        "SET quote_all_identifiers = on",
        "SET default_transaction_deferrable = on",
        "SET row_security = on",
        "SET client_encoding = 'LATIN1'",
        "SET work_mem = '64kB'; SET temp_buffers = 100",
        "DISCARD ALL",
    ],
)
def test_what_a_session_may_set_or_create(session, preparation):
    pk = article()
    session.execute(preparation)
    session.execute("UPDATE public.newsroom_article SET headline = 'changed', body = 'longer' WHERE id = %s", [pk])
    session.execute("DELETE FROM public.newsroom_article WHERE id = %s", [pk])
    assert [event.operation for event in events(pk)] == ["create", "update", "delete"]
    assert (events(pk)[1].texts_before, events(pk)[1].texts_after) == (["Inspectors."], ["longer"])


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "ALTER TABLE newsroom_article DISABLE TRIGGER ALL",
        'DROP TRIGGER "0_audit_touch_newsroom_article" ON newsroom_article',
        "CREATE OR REPLACE FUNCTION audit_fold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER FUNCTION audit_fold() SET search_path = pg_temp",
        "SELECT audit_fold_transaction(pg_current_xact_id())",
        "SELECT audit_touch('newsroom.article', '1', '{}', true, '{}', '{}', '{}')",
        "DELETE FROM audit_touched",
        "SET ROLE audit_owner",
        "SET SESSION AUTHORIZATION audit_owner",
    ],
)
def test_what_would_reach_the_machinery_is_refused(session, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
        session.execute(statement)


def test_a_prepared_transaction_is_captured_when_it_is_committed(session):
    pk, name = article(), uuid.uuid4().hex
    session.execute("BEGIN")
    session.execute("UPDATE newsroom_article SET headline = 'prepared' WHERE id = %s", [pk])
    session.execute(f"PREPARE TRANSACTION '{name}'")
    assert titles(pk) == ["Bridge"]
    session.execute(f"COMMIT PREPARED '{name}'")
    assert titles(pk) == ["Bridge", "prepared"]


@pytest.mark.parametrize(
    "context",
    [
        "{}",
        "[]",
        "null",
        '"x"',
        "not json",
        '{"actor": {}}',
        '{"actor": {"type": "god"}}',
        '{"actor": null}',
        '{"actor": {"type": "user", "id": {"a": 1}}}',
        '{"actor": {"type": "user", "id": "\\u0000"}}',
        '{"actor": {"type": "user", "id": "1"}, "context": {"ip": [1]}}',
        '{"actor": {"type": "user", "id": "1"}, "occurred_at": "soon"}',
        '{"actor": {"type": "user", "id": "1"}, "occurred_at": "infinity"}',
        '{"actor": {"type": "user", "id": "1", "snapshot": {"name": {}}}}',
        "[" * 60_000,
        '{"actor": {"type": "user", "id": "' + "1" * 200_000 + '"}}',
    ],
    ids=lambda context: context[:60],
)
def test_a_context_of_the_wrong_shape_never_breaks_a_save(session, context):
    pk = article()
    with session.transaction():
        session.execute("SELECT set_config('audit.context', %s, true)", [context])
        session.execute("UPDATE newsroom_article SET headline = 'saved' WHERE id = %s", [pk])
    last = events(pk)[-1]
    assert (last.title, last.actor_type, last.actor_id) == ("saved", "unknown", "database:audit_app")


def test_a_context_of_the_wrong_shape_is_refused_where_it_is_entered(session):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not a context"):
        session.execute("SELECT audit_enter('{}')")


def test_serializable_transactions_on_different_articles_seldom_conflict(fresh_database):
    """A row that moves to another page writes to its indexes, whose pages neighbours have read: this conflict is
    PostgreSQL's, with capture or without. What capture itself reads is by key.
    """
    pks = [article() for _ in range(4)]
    failed = 0
    with session_as_site(fresh_database) as one, session_as_site(fresh_database) as two:
        for session in (one, two):
            # A table of a few rows would be read as a whole by the site's own statements, and so conflict.
            session.execute("SET enable_seqscan = off")
        for _ in range(20):
            for session, pk in ((one, pks[0]), (two, pks[1])):
                session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
                session.execute("UPDATE newsroom_article SET headline = headline || '!' WHERE id = %s", [pk])
            for session, pk in ((two, pks[2]), (one, pks[3])):
                session.execute("UPDATE newsroom_article SET body = body || '!' WHERE id = %s", [pk])
            for session in (one, two):
                try:
                    session.execute("COMMIT")
                except psycopg.errors.SerializationFailure:
                    failed += 1
    assert failed <= 3


def test_a_column_that_another_trigger_sets_is_captured(fresh_database, session):
    pk = article()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION slugged() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.slug := 'by-a-trigger'; RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER slugged BEFORE UPDATE ON newsroom_article FOR EACH ROW EXECUTE FUNCTION slugged()"
        )
    session.execute("UPDATE newsroom_article SET updated_at = now() WHERE id = %s", [pk])
    assert [change["after"] for change in events(pk)[-1].changes] == ["by-a-trigger"]


def test_an_update_by_a_trigger_of_the_site_is_one_event_with_the_true_text_before(session):
    pk = article()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.body NOT LIKE '%!' THEN "
            "UPDATE newsroom_article SET body = NEW.body || '!' WHERE id = NEW.id; END IF; RETURN NULL; END $$"
        )
        cursor.execute("CREATE TRIGGER a_shout AFTER UPDATE ON newsroom_article FOR EACH ROW EXECUTE FUNCTION shout()")
    session.execute("UPDATE newsroom_article SET body = 'Two.' WHERE id = %s", [pk])
    *_, last = events(pk)
    assert (last.sequence, last.texts_before, last.texts_after) == (2, ["Inspectors."], ["Two.!"])


def test_a_change_of_case_only_under_a_collation_that_ignores_it(session):
    pk = article()
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        cursor.execute("ALTER TABLE newsroom_article ALTER headline TYPE varchar(300) COLLATE anycase")
        cursor.execute("ALTER TABLE newsroom_article ALTER body TYPE text COLLATE anycase")
    session.execute("UPDATE newsroom_article SET headline = 'BRIDGE', body = 'INSPECTORS.' WHERE id = %s", [pk])
    assert sorted(change["field"] for change in events(pk)[-1].changes) == ["body", "headline"]


def test_a_change_between_null_and_infinity(session):
    pk = article()
    session.execute("UPDATE newsroom_article SET published_at = 'infinity' WHERE id = %s", [pk])
    session.execute("UPDATE newsroom_article SET published_at = '0044-03-15 12:00 BC' WHERE id = %s", [pk])
    assert [event.changes[0]["after"] for event in events(pk)[1:]] == ["infinity", "0044-03-15 12:00:00+00 BC"]
    Article.objects.filter(pk=pk).update(published_at=None)
    assert events(pk)[-1].changes[0]["after"] is None
