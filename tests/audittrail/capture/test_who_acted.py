"""The actor is who acts when the change is made, however the request or task is made."""

import asyncio
import base64
import threading
import uuid
from collections.abc import Iterator
from contextlib import nullcontext

import psycopg
import pytest
from asgiref.sync import sync_to_async
from celery import Celery, chain, chord, group, shared_task
from celery.contrib.testing.worker import start_worker
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from django.test import AsyncClient, Client
from django.urls import set_urlconf

import auditsite.celery
from audittrail import Actor, context
from audittrail.capture.acting import Context, acting
from audittrail.capture.context import fold_now
from audittrail.capture.task import AuditedTask
from audittrail.models import OutboxEvent
from newsroom.models import Article, Author
from testkit.audittrail.saving_views import VIEWS, save
from testkit.waiting import until

pytestmark = pytest.mark.usefixtures("fresh_database", "views")

OURS = "audittrail.capture.middleware.AuditContextMiddleware"
KIM = "auth.user:{}"


WHO = Actor("service", "desk")
UPDATE = "UPDATE newsroom_article SET headline = headline || '!'"


@pytest.fixture
def views(settings):
    settings.ROOT_URLCONF = "testkit.audittrail.saving_views"
    yield
    set_urlconf(None)  # a response that is not read to its end leaves it set


@pytest.fixture
def kim():
    return get_user_model().objects.create_user("kim", password="kim-pass")


@pytest.fixture
def client(kim) -> Client:
    client = Client()
    client.force_login(kim)
    return client


def actors() -> set[tuple[str, str | None]]:
    return set(OutboxEvent.objects.filter(kind="newsroom.article").values_list("actor_type", "actor_id"))


async def read(response) -> None:
    """A streaming response to its end, as a server does."""
    if response.streaming and response.is_async:
        async for _ in response.streaming_content:
            pass
    elif response.streaming:
        await sync_to_async(b"".join)(response.streaming_content)
    await sync_to_async(connections.close_all)()


def basic(password: str = "kim-pass") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"kim:{password}".encode()).decode()}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("view", sorted(set(VIEWS) - {"drf", "drf_refusing", "logging_in"}))
def test_whoever_is_logged_in_acts(client, kim, method, view):
    asyncio.run(read(getattr(client, method)(f"/{view}")))
    assert actors() == {("user", KIM.format(kim.pk))}


@pytest.mark.parametrize("view", ["saving", "in_async", "async_streaming", "streaming", "durable", "in_a_thread"])
def test_it_is_so_under_asgi(kim, view):
    async def request() -> None:
        client = AsyncClient()
        await client.aforce_login(kim)
        await read(await client.post(f"/{view}"))
        await sync_to_async(connections.close_all)()

    asyncio.run(request())
    assert actors() == {("user", KIM.format(kim.pk))}


def test_a_user_that_drf_authenticates_acts(kim):
    assert Client().post("/drf", headers=basic()).status_code == 200
    assert actors() == {("user", KIM.format(kim.pk))}


def test_nobody_acts_where_nobody_is_known():
    assert Client().post("/drf").status_code == 200
    assert actors() == {("unknown", None)}


def test_who_logs_in_meanwhile_acts(kim):
    Client().post("/logging_in")
    assert actors() == {("user", KIM.format(kim.pk))}


def test_a_middleware_behind_ours_may_tell_who_acts(client, kim, settings):
    settings.MIDDLEWARE = [OURS, *(each for each in settings.MIDDLEWARE if each != OURS)]
    client.post("/saving")
    assert actors() == {("user", KIM.format(kim.pk))}


def test_what_drf_refuses_leaves_nothing_behind(kim):
    assert Client().post("/drf_refusing", headers=basic()).status_code == 403
    assert not Article.objects.exists()


def test_a_view_of_its_own_transactions_keeps_what_it_committed(client):
    assert client.post("/durable").status_code == 400
    assert Article.objects.count() == 1


ALONE = (
    "SET LOCAL statement_timeout = '1min'; " + UPDATE,
    "SHOW search_path; " + UPDATE + ";",
    "SET CONSTRAINTS ALL IMMEDIATE; " + UPDATE,
    "/* a; b */ SET LOCAL statement_timeout = '1min'; " + UPDATE,
)
IN_A_TRANSACTION = (*ALONE, "SAVEPOINT s; " + UPDATE + "; RELEASE s")


@pytest.mark.parametrize(
    ("message", "in_transaction"), [*((each, True) for each in IN_A_TRANSACTION), *((each, False) for each in ALONE)]
)
def test_a_message_of_several_statements_is_stamped(message, in_transaction):
    Article.objects.create(headline="Bridge", slug="bridge")
    with acting(lambda: Context(WHO)), transaction.atomic() if in_transaction else nullcontext():
        _execute(message)
    assert OutboxEvent.objects.values_list("actor_id", flat=True).get(sequence=2) == "desk"


def test_a_block_that_ends_its_transaction_is_sent_alone():
    Article.objects.create(headline="Bridge", slug="bridge")
    with acting(lambda: Context(WHO)):
        _execute(f"DO $$ BEGIN PERFORM 1; {UPDATE}; COMMIT; END $$")
    assert OutboxEvent.objects.count() == 2


@pytest.mark.parametrize("forgetting", ["RESET ALL", "SELECT 1; RESET ALL", "RESET audit.context"])
def test_after_a_reset_of_settings_the_actor_is_told_again(forgetting):
    Article.objects.create(headline="Bridge", slug="bridge")
    with context(actor=WHO):
        _execute(UPDATE)
        fold_now()
        _execute(forgetting)
        _execute(UPDATE)
    assert list(OutboxEvent.objects.order_by("sequence").values_list("actor_id", flat=True)[1:]) == ["desk", "desk"]


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_failed_savepoint_takes_no_actor_along(client, kim):
    client.post("/behind_a_savepoint")
    assert (Article.objects.count(), actors()) == (1, {("user", KIM.format(kim.pk))})


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """The messages that this thread sends to PostgreSQL."""
    found: list[str] = []
    execute, here = psycopg.Cursor.execute, threading.get_ident()

    def counted(self, query, *args, **kwargs):
        if threading.get_ident() == here:
            found.append(str(query))
        return execute(self, query, *args, **kwargs)

    monkeypatch.setattr("psycopg.Cursor.execute", counted)
    monkeypatch.setattr("psycopg.ClientCursor.execute", counted, raising=False)
    return found


def test_the_stamp_costs_no_round_trip(client, sent):
    client.post("/saving")
    (index,) = [place for place, query in enumerate(sent) if "newsroom_article" in query]
    assert not [query for query in sent if "audit" in query and "newsroom_article" not in query]
    assert sent[index].startswith("SELECT audit_enter('")


def test_what_only_reads_is_not_stamped(client, sent):
    connection.ensure_connection()
    with context(actor=Actor("service", "reader")):
        pass
    sent.clear()
    client.get("/streaming")
    assert not [query for query in sent if "audit" in query]


def test_two_contexts_in_one_transaction_are_two_events():
    with transaction.atomic():
        article = save()
        with context(actor=Actor("service", "wire")):
            Article.objects.filter(pk=article.pk).update(headline="Second")
        Article.objects.filter(pk=article.pk).update(headline="Third")
    found = OutboxEvent.objects.filter(kind="newsroom.article").order_by("sequence")
    assert [event.actor_id for event in found] == ["database:audit_app", "wire", "database:audit_app"]


def test_an_actor_does_not_outlive_the_transaction():
    with context(actor=Actor("service", "wire")):
        save()
    save()
    assert sorted(str(name) for _, name in actors()) == ["database:audit_app", "wire"]


def test_copy_belongs_to_the_context():
    author = Author.objects.create(name="Kim", byline="Kim")
    with context(actor=Actor("service", "wire")):
        article = save()
    statement = "COPY newsroom_credit (article_id, author_id, position) FROM STDIN"
    with (
        context(actor=Actor("service", "wire")),
        connections["default"].cursor() as cursor,
        cursor.copy(statement) as rows,
    ):
        rows.write_row((article.pk, author.pk, 0))
    assert OutboxEvent.objects.filter(kind="newsroom.article").count() == 2
    assert actors() == {("service", "wire")}


@shared_task(base=AuditedTask, name="tests.who_acted.audited")
def audited(*_: object) -> None:
    save()


@shared_task(name="tests.who_acted.plain")
def plain(*_: object) -> None:
    """No AuditedTask: it passes on for whom it runs."""


@shared_task(base=AuditedTask, name="tests.who_acted.retried", bind=True, max_retries=1)
def retried(self, *_: object) -> None:
    if not self.request.retries:
        raise self.retry(countdown=0)
    save()


@shared_task(base=AuditedTask, name="tests.who_acted.replaced", bind=True)
def replaced(self, *_: object) -> None:
    raise self.replace(audited.si())


SENT = {
    "delay": lambda: audited.delay(1),
    "by name": lambda: audited.app.send_task(audited.name),
    "second of a chain": lambda: chain(plain.si(), audited.si()).delay(),
    "behind two plain tasks": lambda: chain(plain.si(), plain.si(), audited.si()).delay(),
    "group": lambda: group(audited.si(), audited.si()).delay(),
    "body of a chord": lambda: chord([plain.si(), plain.si()], audited.si()).delay(),
    "link": lambda: plain.apply_async(link=audited.si()),
    "retry": lambda: retried.delay(1),
    "replacement": lambda: replaced.delay(1),
}


@pytest.fixture
def worker(settings) -> Iterator[None]:
    """A worker of a queue of its own, on the stack's Redis."""
    redis = settings.CELERY_BROKER_URL
    app = Celery("who-acted", broker=redis, backend=redis, set_as_current=True)
    app.conf.update(task_default_queue=f"who-acted-{uuid.uuid4().hex}", result_expires=60)
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20):
        yield
    auditsite.celery.app.set_current()


@pytest.mark.parametrize("way", SENT)
def test_a_task_acts_for_its_sender_however_it_is_sent(worker, way):
    with context(actor=Actor("user", "newsroom.author:7"), request_id="r-1", channel="web"):
        SENT[way]()
    until(lambda: OutboxEvent.objects.filter(kind="newsroom.article").count() == (2 if way == "group" else 1), what=way)
    assert actors() == {("user", "newsroom.author:7")}
    assert {event.context["channel"] for event in OutboxEvent.objects.filter(kind="newsroom.article")} == {"task"}


def test_a_task_that_nobody_sent_acts_for_itself(worker):
    audited.delay()
    until(lambda: actors() == {("service", audited.name)}, what="the task's event")
