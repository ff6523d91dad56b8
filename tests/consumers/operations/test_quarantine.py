"""An event that violates the contract: set aside, shown, mended and released into its own place."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from audittrail import Actor, article_id, context, contracts
from audittrail.contracts.codec import Codec
from audittrail.events.event import Event
from audittrail.integrity.verify import verify
from audittrail.models import AuditEvent, OutboxEvent
from audittrail.timeline.gaps import gaps
from consumers import conf
from consumers.kafka.schema_registry import schemas
from consumers.models import ControlAction
from consumers.operations import quarantine
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.consumers.running import running
from testkit.consumers.witness import committed, pending, some_articles
from testkit.waiting import until

LONG_AGO = datetime(1066, 10, 14, tzinfo=UTC)


@pytest.fixture
def article(own_trail) -> Article:
    """An article whose second event happened, as its writer says, in 1066."""
    article = some_articles(1)[0]
    with context(actor=Actor("service", "wire"), occurred_at=LONG_AGO):
        Article.objects.filter(pk=article.pk).update(headline="Second")
    Article.objects.filter(pk=article.pk).update(headline="Third")
    return article


@pytest.fixture
def admin_client(own_trail) -> Client:
    user = User.objects.create_user("platform", password="x", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_setasideevent", "change_setasideevent"]))
    client = Client()
    client.force_login(user)
    return client


def _events() -> dict[int, Event]:
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)
    found = [codec.decode(message.value(), schemas().by_id) for message in committed(conf.raw_topic())]
    return {event["sequence"]: event for event in found if event["kind"] == "newsroom.article"}


def _stored(article: Article) -> int:
    """How many events of it are in the database: those of the user who looks on are not counted."""
    return AuditEvent.objects.filter(article_id=article_id(article)).count()


def _page(event: OutboxEvent) -> str:
    return reverse("admin:consumers_setasideevent_release", args=[event.pk])


def test_it_waits_visibly_while_the_article_goes_on_and_comes_late_into_its_place(article, admin_client):
    with relaying(), running(Enricher()), running(DatabaseSink()):
        until(lambda: _stored(article) == 2, what="the events around it")
        event = quarantine.waiting().get()
        assert event.sequence == 2 and event.set_aside is not None and "occurred_at" in event.set_aside
        Article.objects.filter(pk=article.pk).update(headline="Fourth")
        until(lambda: _stored(article) == 3, what="the event after it")

        (gap,) = gaps(article_id(article), [1, 3, 4], 1, 4)
        assert gap.cause is not None
        assert (gap.first, gap.last, gap.cause.url) == (2, 2, _page(event))
        assert "occurred_at: 1066-10-14" in gap.cause.text
        assert "1066-10-14" in admin_client.get(reverse("admin:consumers_setasideevent_changelist")).content.decode()

        page = admin_client.get(_page(event))
        assert admin_client.post(_page(event), {"amendments": page.context["amendments"]}).status_code == 302
        until(lambda: _stored(article) == 4, what="the released event")

    published, captured = (
        rows.objects.get(article_id=article_id(article), sequence=2) for rows in (AuditEvent, OutboxEvent)
    )
    assert bytes(published.hash) == bytes(captured.hash)
    assert (captured.occurred_at, published.occurred_at) == (LONG_AGO, captured.recorded_at)
    assert [each["field"] for each in published.amendments] == ["occurred_at"]
    assert not gaps(article_id(article), [1, 2, 3, 4], 1, 4)
    assert _events()[4]["keyframe"] is not None, "the event after one set aside carries the whole article"
    report = verify(incremental=True)
    assert (report.findings, report.amended) == ([], 1)
    action = ControlAction.objects.get()
    assert action.user is not None
    assert (action.user.username, action.action) == ("platform", "release")
    assert "#2 released; occurred_at amended" in action.detail


def test_when_the_cause_is_repaired_it_is_released_as_it_was_captured(article, admin_client, monkeypatch):
    with relaying():
        until(lambda: not pending(), what="a drained outbox")
        event = quarantine.waiting().get()
        refused = admin_client.post(_page(event), {"amendments": "[]"})
        assert refused.status_code == 400 and "1066" in refused.content.decode()

        monkeypatch.setattr("audittrail.contracts.validation.EARLIEST", datetime(1000, 1, 1, tzinfo=UTC))
        assert admin_client.get(_page(event)).context["amendments"] == "[]"
        admin_client.post(_page(event), {"amendments": "[]"})
        until(lambda: 2 in _events(), what="the released event")

    assert (_events()[2]["occurred_at"], _events()[2]["amendments"]) == (LONG_AGO, [])


def test_a_row_that_cannot_be_read_is_set_aside_and_stops_nothing(article):
    owner = settings.DATABASES["owner"]
    with psycopg.connect(
        host=owner["HOST"], port=owner["PORT"], user=owner["USER"], password=owner["PASSWORD"], dbname=owner["NAME"]
    ) as connection:
        connection.execute("UPDATE audittrail_outboxevent SET changes = '[7]' WHERE sequence = 3")
    with relaying():
        until(lambda: not pending(), what="a drained outbox")

    assert {event.sequence: (event.set_aside or "")[:21] for event in quarantine.waiting()} == {
        2: "occurred_at: 1066-10-",
        3: "changes: cannot be re",
    }


@pytest.mark.parametrize(
    "written", ["nonsense", "{}", '[{"field": "title"}]', '[{"field": "hash", "value": "", "reason": "x"}]']
)
def test_amendments_that_make_no_sense_are_refused_on_the_page(article, admin_client, written):
    with relaying():
        until(lambda: not pending(), what="a drained outbox")
    answer = admin_client.post(_page(quarantine.waiting().get()), {"amendments": written})
    assert answer.status_code == 400 and answer.context["refusal"]
    assert quarantine.waiting().count() == 1 and not ControlAction.objects.exists()


def test_who_may_only_look_releases_nothing(article):
    user = User.objects.create_user("reader", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_setasideevent"))
    client = Client()
    client.force_login(user)
    with relaying():
        until(lambda: not pending(), what="a drained outbox")
    assert client.post(_page(quarantine.waiting().get()), {"amendments": "[]"}).status_code == 403


def test_the_site_itself_cannot_write_the_outbox(article):
    from django.db import ProgrammingError

    with pytest.raises(ProgrammingError, match="permission denied"):
        OutboxEvent.objects.update(amendments=[])
