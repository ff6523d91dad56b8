"""What capture hashes in SQL is what the chain recomputes in Python, from the events that the relay writes."""

import uuid

import pytest
from django.db import transaction

from audittrail import Actor, context, contracts, record_save
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import validate
from newsroom.models import Article, Author, Credit, Section, Tag
from testkit.audittrail.chains import breaks, captured

pytestmark = pytest.mark.usefixtures("fresh_database")


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
