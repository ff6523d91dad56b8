"""That capture is off is said wherever somebody looks, with what mends it; a model that cannot be captured is named."""

import io
import logging
import threading

import orjson
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.core.signals import request_started
from django.db import connections, models
from django.test.utils import isolate_apps
from django.urls import reverse

from audittrail import tracking
from audittrail.capture import at_start
from audittrail.capture.inspection import inspect
from audittrail.capture.install import install, install_after_migrate
from audittrail.integrity.verify import verify
from audittrail.models import OutboxEvent
from testkit.audittrail.attacks import article

pytestmark = pytest.mark.usefixtures("fresh_database")

ABSENT = "trigger 0_audit_touch_newsroom_article of newsroom_article is absent."


def switch_off() -> None:
    as_owner('DROP TRIGGER "0_audit_touch_newsroom_article" ON newsroom_article')


def as_owner(statement: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)


def test_the_system_check_names_it_with_its_remedy():
    call_command("check", databases=["default", "owner"])
    switch_off()
    with pytest.raises(SystemCheckError) as refused:
        call_command("check", databases=["default", "owner"])
    assert str(refused.value).count(f"(audittrail.E002) {ABSENT}") == 1
    assert "HINT: Run manage.py install_capture." in str(refused.value)


def test_migrate_is_not_kept_from_mending_it():
    switch_off()
    call_command("migrate", verbosity=0)
    assert inspect().is_on


def test_migrate_ends_with_what_it_cannot_mend():
    as_owner("GRANT CREATE ON SCHEMA public TO audit_app")
    as_owner("ALTER TABLE newsroom_credit OWNER TO audit_app")
    with pytest.raises(CommandError, match=r"table newsroom_credit belongs to audit_app.* OWNER TO"):
        call_command("migrate", verbosity=0)


def test_the_command_says_what_is_wrong_and_what_would_mend_it_and_mends_it(capsys):
    switch_off()
    with pytest.raises(CommandError, match=f"{ABSENT} Run manage.py install_capture."):
        call_command("install_capture", check=True, database="default")
    call_command("install_capture", dry_run=True)
    assert f'-- {ABSENT}\nCREATE OR REPLACE TRIGGER "0_audit_touch_newsroom_article"' in capsys.readouterr().out
    assert not inspect().is_on
    call_command("install_capture")
    assert '"newsroom_article": installed' in capsys.readouterr().out
    call_command("install_capture", check=True)
    assert f"Capture is on for {inspect().tables} tables." in capsys.readouterr().out
    call_command("install_capture", dry_run=True)
    assert capsys.readouterr().out == "-- Nothing to mend: capture is as it should be.\n"


def test_the_command_refuses_a_database_that_is_none():
    with pytest.raises(CommandError, match=r"--database x: there are default, pipeline, owner, logins\."):
        call_command("install_capture", database="x")


@pytest.mark.parametrize("incremental", [True, False])
def test_verification_finds_it_first(incremental):
    switch_off()
    findings = verify(incremental=incremental).findings
    assert (findings[0].store, findings[0].kind) == ("capture", "capture_off")
    assert ABSENT.startswith(findings[0].article_id)


def test_the_page_of_consumers_shows_it(client, boss):
    client.force_login(boss)
    assert b"Capture is on for" in client.get(reverse("admin:consumers_overview")).content
    switch_off()
    page = client.get(reverse("admin:consumers_overview")).content.decode()
    assert "changes may pass unrecorded" in page and ABSENT in page and "manage.py install_capture" in page
    assert page.index('role="alert"') < page.index("data-stage"), "it is said above all stages"


def test_the_status_of_consumers_has_it(capsys):
    switch_off()
    with pytest.raises(SystemExit):
        call_command("consumer_status", json=True)
    assert orjson.loads(capsys.readouterr().out)["capture_problems"] == [f"{ABSENT} Run manage.py install_capture."]


def test_a_process_logs_it_and_goes_on(caplog):
    switch_off()
    at_start.log_problems("pipeline")
    assert [(each.levelno, ABSENT in each.getMessage()) for each in caplog.records] == [(logging.ERROR, True)]


def test_only_the_first_request_asks(monkeypatch):
    asked = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: asked.append(thread.name))
    at_start.log_problems_at_first_request()
    for _ in range(3):
        request_started.send(sender=None)
    assert asked == ["capture-check"]


@pytest.fixture
def tracked_besides(monkeypatch):
    """A registry of tracked models that is given back."""
    monkeypatch.setattr(tracking, "_tracked", dict(tracking._tracked))


def unmanaged(name: str, table: str) -> type[models.Model]:
    """A model that Django makes no table for."""
    meta = type("Meta", (), {"app_label": "newsroom", "db_table": table, "managed": False})
    return type(name, (models.Model,), {"__module__": __name__, "title": models.TextField(), "Meta": meta})


@pytest.mark.parametrize(
    ("statement", "problem", "remedy"),
    [
        ("SELECT 1", "there is no table pages", "not managed by Django"),
        ("CREATE VIEW pages AS SELECT 1 AS id", "pages is a view", "Track the model of the tables"),
        ("CREATE SCHEMA web CREATE TABLE pages (id int)", "pages is in schema web", 'ALTER TABLE "web"."pages" SET'),
        ("CREATE TABLE pages (id bigint)", "captured without title: the table pages has no column title", "alter it"),
    ],
)
@isolate_apps("newsroom")
def test_a_model_that_cannot_be_captured_is_named_and_the_others_are_captured(
    tracked_besides, statement, problem, remedy
):
    as_owner(statement)
    tracking.track(unmanaged("Page", "pages"), fields=["title"], title="title")
    install("owner")
    (left,) = inspect().problems
    assert left.subject == "model newsroom.Page" and problem in left.problem and remedy in left.remedy
    article()
    assert OutboxEvent.objects.count() == 1


@isolate_apps("newsroom")
def test_what_a_migration_to_an_earlier_state_leaves_without_capture_is_printed(tracked_besides, monkeypatch):
    monkeypatch.setattr("audittrail.capture.install._are_migrations_to_follow", lambda alias: True)
    tracking.track(unmanaged("Page", "pages"), fields=["title"], title="title")
    last = [config for config in apps.get_app_configs() if config.models_module][-1]
    install_after_migrate(last, "owner", stdout=(printed := io.StringIO()))
    assert "until then, not captured:" in printed.getvalue() and "model newsroom.Page" in printed.getvalue()


@isolate_apps("newsroom")
def test_a_model_of_another_database_is_named(tracked_besides, settings):
    settings.DATABASE_ROUTERS = [Elsewhere()]
    tracking.track(unmanaged("Page", "pages"), fields=["title"], title="title")
    assert any("is kept in another database" in left.problem for left in inspect().problems)


class Elsewhere:
    """Of two databases, this is the one without pages."""

    def allow_migrate(self, db, app_label, model=None, **hints):
        return False if model is not None and model._meta.db_table == "pages" else None
