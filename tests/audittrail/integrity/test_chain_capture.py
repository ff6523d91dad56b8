"""What capture hashes in SQL is what the chain recomputes in Python, from the events that the relay writes."""

import uuid

import pytest
from django.db import connections, transaction

from audittrail import Actor, context, contracts, record_save
from audittrail.capture import outbox_rows
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import validate
from audittrail.events.event import Event
from audittrail.integrity.chain import Chain, ChainBreak
from newsroom.models import Article, Author, Credit, Section, Tag

pytestmark = pytest.mark.usefixtures("fresh_database")


def captured() -> list[Event]:
    """All events in the outbox, as they are published."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT id FROM audittrail_outboxevent")
        rows = outbox_rows.read(cursor, [number for (number,) in cursor.fetchall()])
    return sorted(map(outbox_rows.event_of, rows), key=lambda event: (event["article_id"], event["sequence"]))


def breaks(events: list[Event]) -> list[ChainBreak]:
    chains = {event["article_id"]: Chain(event["article_id"]) for event in events}
    return [found for event in events for found in chains[event["article_id"]].feed(event)]


def edit_an_article() -> Article:
    article = Article.objects.create(
        headline="Harbour bridge 🚢", body="<p>The alleged cracks.</p>", slug=uuid.uuid4().hex
    )
    with context(actor=Actor("user", "newsroom.author:1"), channel="web"):
        article.body = "<p>The cracks.</p>"
        article.section = Section.objects.create(name="Politics", slug="politics")
        article.save()
        article.tags.set([Tag.objects.create(name=name) for name in ("Verkehr", "Brücke")])
    with transaction.atomic():
        for position, name in enumerate(("Kim", "Ada")):
            Credit.objects.create(
                article=article, author=Author.objects.create(name=name, byline=name), position=position
            )
        Article.objects.filter(pk=article.pk).update(section=None, status="published")
    with transaction.atomic():
        record_save(article)
    Article.objects.filter(pk=article.pk).update(body="")
    return article


def test_the_chain_of_captured_events_is_sound():
    edit_an_article()
    events = captured()
    assert len(events) >= 5
    assert breaks(events) == []


def test_keyframes_and_deletion_are_in_the_chain():
    article = edit_an_article()
    for number in range(60):
        Article.objects.filter(pk=article.pk).update(body=f"<p>The {number} cracks.</p>")
    article.delete()
    events = captured()
    assert events[-1]["operation"] == "delete"
    assert any(event["keyframe"] and event["operation"] == "update" for event in events)
    assert breaks(events) == []


def test_one_captured_word_altered_is_found():
    edit_an_article()
    events = captured()
    edits = next(change["edits"] for event in events for change in event["changes"] if change["edits"])
    edits[0]["inserted"] += " not"
    assert [found.kind for found in breaks(events)] == ["state_digest"]


def test_captured_events_keep_the_contract():
    edit_an_article()
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 1)
    for event in captured():
        codec.encode(event)
        validate(event)
