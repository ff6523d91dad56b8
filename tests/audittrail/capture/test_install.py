"""Capture is compared with the catalogue, whatever was done to it, and only what differs is installed again."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction

from audittrail.capture import catalogue, schema
from audittrail.capture.definition import defined_for
from audittrail.capture.differences import differences
from audittrail.capture.inspection import inspect
from audittrail.capture.install import install, install_within
from audittrail.models import OutboxEvent
from testkit.audittrail.attacks import article

pytestmark = pytest.mark.usefixtures("fresh_database")

NOOP_FUNCTION = "FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
NOOP = f"CREATE {NOOP_FUNCTION}"
ARTICLE = '"0_audit_touch_newsroom_article"'


def as_owner(*statements: str) -> None:
    with connections["owner"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def found(alias: str = "default") -> list[str]:
    """What differs, as the site's own role sees it."""
    return [str(each) for each in inspect(alias).problems]


@contextmanager
def session(alias: str) -> Iterator[psycopg.Connection]:
    parameters = connections[alias].settings_dict
    with psycopg.connect(
        host=parameters["HOST"],
        port=parameters["PORT"],
        user=parameters["USER"],
        password=parameters["PASSWORD"],
        dbname=parameters["NAME"],
    ) as own:
        yield own


def article_trigger(events: str, action: str) -> str:
    return f"CREATE OR REPLACE TRIGGER {ARTICLE} AFTER {events} ON newsroom_article FOR EACH ROW {action}"


ANY = "INSERT OR UPDATE OR DELETE"
TOUCH = "EXECUTE FUNCTION audit_touch_newsroom_article()"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (f"DROP TRIGGER {ARTICLE} ON newsroom_article", "0_audit_touch_newsroom_article of newsroom_article is absent"),
        (f"ALTER TABLE newsroom_article DISABLE TRIGGER {ARTICLE}", "of newsroom_article is disabled"),
        (f"ALTER TABLE newsroom_article ENABLE REPLICA TRIGGER {ARTICLE}", "of newsroom_article is disabled"),
        (NOOP + article_trigger(ANY, "EXECUTE FUNCTION noop()"), "of newsroom_article is absent"),
        (article_trigger(ANY, "EXECUTE FUNCTION audit_refuse_truncate()"), "calls audit_refuse_truncate"),
        (article_trigger(ANY, f"WHEN (false) {TOUCH}"), "fires at other times"),
        (article_trigger("INSERT OR UPDATE OF id OR DELETE", TOUCH), "fires at other times"),
        ("ALTER TABLE audit_touched DISABLE TRIGGER audit_fold", "trigger audit_fold of audit_touched is disabled"),
        ("DROP TABLE audit_touched CASCADE", "table audit_touched is absent"),
        ("ALTER TABLE audit_touched ADD x int", "table audit_touched has other columns"),
        ("DROP TYPE audit_state CASCADE", "type audit_state is not as it should be"),
        (f"CREATE OR REPLACE {NOOP_FUNCTION.replace('noop', 'audit_fold')}", "function audit_fold has another body"),
        ("ALTER FUNCTION audit_fold() SECURITY INVOKER", "function audit_fold runs as another role"),
        ("ALTER FUNCTION audit_fold() SET search_path = pg_temp", "function audit_fold has other settings"),
        ("ALTER FUNCTION audit_read_newsroom_article(text, text[]) STRICT", "has other options"),
        ("DROP FUNCTION audit_touch_newsroom_article_tags() CASCADE", "of newsroom_article_tags is absent"),
        ("CREATE FUNCTION audit_enter(text, int) RETURNS void LANGUAGE sql AS ''", "is of an earlier version"),
        ("GRANT EXECUTE ON FUNCTION audit_touch_again TO PUBLIC", "audit_touch_again may be called by public, not by"),
        ('DROP TRIGGER "0_audit_refuse_truncate" ON newsroom_article', "of newsroom_article is absent"),
    ],
)
def test_what_was_done_to_capture_is_named_and_mended(statement, named):
    assert found() == []
    as_owner(statement)
    assert any(named in each for each in found()), found()
    assert install("owner") == []
    assert found() == []
    article()
    assert OutboxEvent.objects.count() == 1


def objects() -> set[tuple]:
    """Each function and trigger with the transaction that wrote it."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT oid, xmin::text FROM pg_proc WHERE proname LIKE 'audit%'")
        functions = cursor.fetchall()
        cursor.execute("SELECT oid, xmin::text FROM pg_trigger WHERE NOT tgisinternal")
        return {*functions, *cursor.fetchall()}


def test_what_is_right_is_not_touched():
    before = objects()
    as_owner(f"ALTER TABLE newsroom_article DISABLE TRIGGER {ARTICLE}")
    install("owner")
    assert len(before - objects()) == 1


def test_within_a_transaction_what_differs_is_mended_at_once_and_undone_with_it():
    owner = connections["owner"]
    with transaction.atomic(using="owner"):
        as_owner(f"DROP TRIGGER {ARTICLE} ON newsroom_article", "ALTER FUNCTION audit_fold() SECURITY INVOKER")
        assert len(install_within(owner)) == 2
        assert install_within(owner) == []
        transaction.set_rollback(True, using="owner")
    assert found() == []


def test_what_an_earlier_version_left_goes_and_what_is_the_site_s_own_stays():
    as_owner(
        NOOP.replace("noop", "audit_log"),
        NOOP.replace("noop", "audit_touch_newsroom_article_notes"),
        "CREATE TRIGGER audit_log AFTER INSERT ON newsroom_article FOR EACH ROW EXECUTE FUNCTION audit_log()",
        "CREATE TRIGGER audit_touch_newsroom_article_notes AFTER INSERT ON newsroom_tag "
        "FOR EACH ROW EXECUTE FUNCTION audit_touch_newsroom_article_notes()",
        "CREATE TRIGGER audit_old BEFORE TRUNCATE ON newsroom_tag EXECUTE FUNCTION audit_refuse_truncate()",
    )
    assert len(found()) == 3
    assert install("owner") == []
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'audit%' AND tgname <> 'audit_fold'"
        )
        assert cursor.fetchall() == [("audit_log",)]
        cursor.execute("SELECT to_regproc('audit_touch_newsroom_article_notes'), to_regproc('audit_log')::text")
        assert cursor.fetchone() == (None, "audit_log")


PARTITIONED = (
    "DROP TABLE newsroom_article_tags",
    "CREATE TABLE newsroom_article_tags (id bigint, article_id bigint, tag_id bigint) PARTITION BY RANGE (id)",
    "CREATE TABLE tags_old PARTITION OF newsroom_article_tags FOR VALUES FROM (0) TO (100)",
)


def test_a_partition_is_watched_as_its_table_is_and_so_is_one_attached_later():
    as_owner(*PARTITIONED)
    assert install("owner") == []
    as_owner(
        "CREATE TABLE tags_new (LIKE newsroom_article_tags)",
        "ALTER TABLE newsroom_article_tags ATTACH PARTITION tags_new FOR VALUES FROM (100) TO (200)",
    )
    assert found() == ["trigger 0_audit_refuse_truncate of tags_new is absent."]
    assert install("owner") == []
    for partition in ("tags_old", "tags_new"):
        with pytest.raises(DatabaseError, match=f"TRUNCATE of {partition}"):
            as_owner(f"TRUNCATE {partition}")
    key = article()
    as_owner(f"INSERT INTO newsroom_article_tags (id, article_id, tag_id) VALUES (150, {key}, 1)")
    assert OutboxEvent.objects.count() == 2


def test_a_trigger_that_is_off_for_one_partition_is_seen_and_mended():
    as_owner(*PARTITIONED)
    install("owner")
    as_owner('ALTER TABLE tags_old DISABLE TRIGGER "0_audit_touch_newsroom_article_tags"')
    assert found() == ["trigger 0_audit_touch_newsroom_article_tags of tags_old is disabled."]
    assert install("owner") == []


def test_a_table_that_inherits_is_watched():
    as_owner("CREATE TABLE more_tags () INHERITS (newsroom_article_tags)")
    assert len(found()) == 2
    assert install("owner") == []
    key = article()
    as_owner(f"INSERT INTO more_tags (id, article_id, tag_id) VALUES (1, {key}, 1)")
    assert OutboxEvent.objects.count() == 2


def of_the_site(table: str) -> None:
    """Make the table anew, as one that the site's role owns."""
    as_owner(f"ALTER TABLE {table} RENAME TO earlier", "GRANT CREATE ON SCHEMA public TO audit_app")
    with connections["default"].cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (LIKE earlier)")


def test_a_table_of_another_owner_is_named_with_what_mends_it_and_the_others_are_installed():
    of_the_site("newsroom_article_tags")
    as_owner(f"DROP TRIGGER {ARTICLE} ON newsroom_article")
    (left,) = install("owner")
    assert str(left) == "table newsroom_article_tags belongs to audit_app, who can switch capture off."
    assert 'ALTER TABLE "newsroom_article_tags" OWNER TO "audit_owner";' in left.remedy
    article()
    assert OutboxEvent.objects.count() == 1


def test_nothing_is_tried_on_a_table_whose_owner_the_installer_cannot_act_for():
    of_the_site("newsroom_article_tags")
    capture = defined_for(schema.read(connections["owner"]))
    installed = catalogue.read(connections["owner"], {each.table for each in capture.triggers})
    left = differences(capture, replace(installed, members=frozenset({"audit_owner"})))
    assert {each.statements for each in left if each.subject.endswith("newsroom_article_tags")} == {()}


def test_an_open_reader_is_not_waited_for():
    as_owner(f"DROP TRIGGER {ARTICLE} ON newsroom_article")
    with session("default") as reader:
        reader.execute("SELECT count(*) FROM newsroom_article")
        assert install("owner", deadline=timedelta()) == []


def test_nobody_waits_behind_an_installation_that_waits_for_a_writer():
    as_owner(f"DROP TRIGGER {ARTICLE} ON newsroom_article")
    messages: list[str] = []
    waits = threading.Event()

    def hear(message: str) -> None:
        messages.append(message)
        if "tried again" in message:
            waits.set()

    def run() -> None:
        try:
            install("owner", progress=hear)
        finally:
            connections["owner"].close()

    with session("default") as writer:
        writer.execute("UPDATE newsroom_article SET headline = headline")
        installing = threading.Thread(target=run)
        installing.start()
        assert waits.wait(10)
        began = time.monotonic()
        article()
        assert time.monotonic() - began < 2
    installing.join(30)
    assert messages[-1] == '"newsroom_article": installed'
    assert found() == []


def test_a_table_in_use_until_the_deadline_is_named_and_the_others_are_installed():
    as_owner(f"DROP TRIGGER {ARTICLE} ON newsroom_article", 'DROP TRIGGER "0_audit_refuse_truncate" ON newsroom_credit')
    with session("default") as writer:
        writer.execute("UPDATE newsroom_article SET headline = headline")
        left = install("owner", deadline=timedelta())
    assert [str(each) for each in left] == ["trigger 0_audit_touch_newsroom_article of newsroom_article is absent."]
