"""Whichever way a change is folded, its event is the same; and each step proves what its comment says."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import connections, transaction

from audittrail import article_id
from audittrail.capture.context import fold_now
from audittrail.models import Head, OutboxEvent
from newsroom.models import Article, Author, Credit, Section, Tag
from testkit.audittrail.chains import breaks, captured

ORDINARY = "audit_fold_ordinary(transaction_id xid8) RETURNS boolean"
SHORT = "audit_fold_short(transaction_id xid8, article_ids text[]) RETURNS void"
GENERAL = "audit_fold_general(transaction_id xid8, article_ids text[]) RETURNS void"

HEAD_HAS = ("scalars", "relations", "text_hashes", "leaves", "labels", "alive")
Change = Callable[[Article], Any]


@contextmanager
def substituted(function: str, body: str) -> Iterator[None]:
    original = asked("SELECT pg_get_functiondef(%s::regproc)", function.partition("(")[0])
    asked(f"CREATE OR REPLACE FUNCTION {function} LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    yield
    asked(original)


def asked(statement: str, *parameters: Any) -> Any:
    """The first column of the first row that the owner's statement returns."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchone()[0] if cursor.description else None


def make_article() -> Article:
    with transaction.atomic():
        article = Article.objects.create(headline="Harbour bridge closed", body="<p>Cracks.</p>", slug=uuid.uuid4().hex)
        article.tags.set([_tag("bridge"), _tag("city")])
        for position, name in enumerate(("Ada", "Kim")):
            Credit.objects.create(article=article, author=_author(name), position=position)
    return article


def _tag(name: str) -> Tag:
    return Tag.objects.get_or_create(name=name)[0]


def _author(name: str) -> Author:
    return Author.objects.get_or_create(name=name, byline=name.upper())[0]


def _update(**values: Any) -> Change:
    return lambda article: Article.objects.filter(pk=article.pk).update(**values)


def _move_to_world(article: Article) -> None:
    _update(section=Section.objects.get_or_create(name="World", slug="world")[0])(article)


def _exchange_credits(article: Article) -> None:
    first, second = article.credits.all()
    Credit.objects.filter(pk=first.pk).update(position=2)
    Credit.objects.filter(pk=second.pk).update(position=0)


def _change_everything_short(article: Article) -> None:
    _update(headline="All", status="published", published_at="2026-02-03T04:05:06Z")(article)
    _move_to_world(article)
    _exchange_credits(article)
    article.tags.set([_tag("city"), _tag("safety")])


def _change_everything(article: Article) -> None:
    _update(body="", standfirst="New")(article)
    _change_everything_short(article)


SHORT_CHANGES: dict[str, Change] = {
    "a headline": _update(headline="Open"),
    "an instant": _update(published_at="2026-02-03T04:05:06.789Z"),
    "a reference": _move_to_world,
    "a tag that comes": lambda article: article.tags.add(_tag("safety")),
    "all tags that go": lambda article: article.tags.clear(),
    "an order": _exchange_credits,
    "everything short": _change_everything_short,
}
TEXT_CHANGES: dict[str, Change] = {
    "a text": _update(body="<p>Fewer cracks.</p>"),
    "everything": _change_everything,
}


ITS_OWN = {
    *("id", "event_id", "article_id", "slot", "occurred_at", "recorded_at"),
    *("salt", "state_digest", "previous_hash", "hash"),
}


def folded(change: Change, fold: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The event of a change, folded in this way, and the article's head after it: what is the same for any article."""
    articles = [make_article() for _ in range(2 if fold == SHORT else 1)]
    with ExitStack() as stack:
        if fold == GENERAL:
            stack.enter_context(substituted(ORDINARY, "RETURN false;"))
        else:
            stack.enter_context(substituted(GENERAL, "RAISE EXCEPTION 'not ordinary';"))
        with transaction.atomic():
            for article in articles:
                change(article)
    event: dict[str, Any] = {**OutboxEvent.objects.values().get(article_id=article_id(articles[0]), sequence=2)}
    head: dict[str, Any] = {**Head.objects.values(*HEAD_HAS).get(article_id=article_id(articles[0]))}
    event["changes"] = sorted(event["changes"], key=lambda entry: entry["field"])
    texts = zip(event.pop("text_fields"), event.pop("texts_before"), event.pop("texts_after"), strict=True)
    event["texts"] = {field: (before, after) for field, before, after in texts}
    del head["scalars"]["slug"]
    return {name: event[name] for name in event if name not in ITS_OWN}, head | {"leaves": sorted(head["leaves"])}


def test_whatever_is_changed_its_event_is_the_same_whichever_way_it_is_folded(fresh_database):
    for change in SHORT_CHANGES.values():
        assert folded(change, ORDINARY) == folded(change, SHORT) == folded(change, GENERAL)
    for change in TEXT_CHANGES.values():
        assert folded(change, ORDINARY) == folded(change, GENERAL)
    assert breaks(captured()) == []


def test_of_many_articles_those_that_are_not_ordinary_are_left_to_the_general_fold(fresh_database):
    ordinary, rewritten, drifted, due, gone = (make_article() for _ in range(5))
    asked("ALTER TABLE newsroom_article DISABLE TRIGGER USER")
    _update(status="archived")(drifted)
    asked("ALTER TABLE newsroom_article ENABLE TRIGGER USER")
    asked("UPDATE audittrail_head SET keyframe_due = true WHERE article_id = %s", article_id(due))
    with transaction.atomic():
        Article.objects.update(headline="Open")
        _update(body="<p>Fewer cracks.</p>")(rewritten)
        Credit.objects.filter(article=gone).delete()
        gone_id = article_id(gone)
        gone.delete()
        made = article_id(make_article())
    found = {each: _events(each) for each in (*map(article_id, (ordinary, rewritten, drifted, due)), gone_id, made)}
    assert list(found.values()) == [
        [("create", []), ("update", ["headline"])],
        [("create", []), ("update", ["body", "headline"])],
        [("create", []), ("update", ["status"]), ("update", ["headline"])],
        [("create", []), ("update", ["headline"])],
        [("create", []), ("delete", [])],
        [("create", [])],
    ]
    assert OutboxEvent.objects.get(article_id=article_id(due), sequence=2).keyframe
    assert breaks(captured()) == []
    assert asked("SELECT count(*) FROM audit_touched") == 0


def _events(article: str) -> list[tuple[str, list[str]]]:
    rows = OutboxEvent.objects.filter(article_id=article).order_by("sequence")
    return [(row.operation, sorted(entry["field"] for entry in row.changes)) for row in rows]


def test_the_short_fold_leaves_what_is_not_its_own_as_it_was_touched(fresh_database):
    ordinary, rewritten = make_article(), make_article()
    with substituted(GENERAL, ""), transaction.atomic():
        _update(headline="Open")(ordinary)
        _update(body="New")(rewritten)
        fold_now()
    assert [len(_events(article_id(each))) for each in (ordinary, rewritten)] == [2, 1]


HEAD = "SELECT audit_has_fields(h, 'newsroom.article') FROM audittrail_head h WHERE article_id = %s"


def test_a_head_has_the_fields_that_are_tracked_whatever_related_rows_it_has(fresh_database):
    article = article_id(make_article())
    assert asked(HEAD, article)
    for leaves, expected in (('leaves || \'{"images/7/alt": ""}\'', True), ('leaves || \'{"gone": ""}\'', False)):
        asked(f"UPDATE audittrail_head SET leaves = {leaves} WHERE article_id = %s", article)
        assert asked(HEAD, article) is expected
    asked("UPDATE audittrail_head SET leaves = leaves - 'gone' - 'body' WHERE article_id = %s", article)
    assert asked(HEAD, article) is False


def test_the_first_touch_of_an_article_says_so_and_the_second_adds_to_it(fresh_database):
    touch = "SELECT audit_touch('newsroom.article', '0', %s, false, %s, %s, %s)"
    with transaction.atomic(using="owner"):
        assert asked(touch, ["a"], '{"x": "1"}', ["body"], ["first"]) is True
        assert asked(touch, ["b"], '{"x": "2", "y": "3"}', ["body", "lead"], ["second", "other"]) is False
        row = "SELECT to_jsonb(t) FROM audit_touched t WHERE article_id = 'newsroom.article:0'"
        found = json.loads(asked(row))
        assert asked("SELECT count(*) FROM audit_touched WHERE article_id = ''") == 1
        transaction.set_rollback(True, using="owner")
    assert (found["touched_fields"], found["scalars_before"]) == (["a", "b"], {"x": "1", "y": "3"})
    assert (found["text_fields"], found["texts_before"]) == (["body", "lead"], ["first", "other"])


with_owner = pytest.mark.django_db(databases=["owner"])


@with_owner
@pytest.mark.parametrize(
    ("before", "after", "entry"),
    [
        ('"a"', "null", {"field": "f", "kind": "scalar", "before": "a", "after": None}),
        ('["1"]', "[]", {"field": "f", "kind": "relation", "before_ids": ["1"], "after_ids": []}),
        (None, '["1"]', {"field": "f", "kind": "relation", "before_ids": None, "after_ids": ["1"]}),
    ],
)
def test_a_change_is_an_entry_of_its_kind(before, after, entry):
    assert json.loads(asked("SELECT audit_change_entry('f', %s::jsonb, %s::jsonb)", before, after)) == entry


@with_owner
def test_labels_of_an_event_name_what_is_there_and_what_has_gone():
    found = asked(
        """SELECT audit_labels_of('{tags,status}', '{"tags": {"1": "old"}, "section": {"5": "World"}}',
                                  '{"tags": {"2": "new"}}')"""
    )
    assert json.loads(found) == {"tags": {"1": "old", "2": "new"}}
