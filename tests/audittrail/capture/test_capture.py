"""Capture promises: one event for a transaction, an article and a context; no gap; no broken chain; whoever changes
it.
"""

import threading
import uuid
from contextlib import AbstractContextManager

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction

from audittrail import Actor, article_id, context, record_save
from audittrail.capture.inspection import inspect
from audittrail.capture.install import install
from audittrail.models import ActorVersion, Head, OutboxEvent
from newsroom.models import Article, Author, Credit, Section, Tag

pytestmark = pytest.mark.usefixtures("fresh_database")

EDITOR = Actor("user", "newsroom.author:1")


def make_article(**values) -> Article:
    defaults = {
        "headline": "Harbour bridge closed",
        "body": "<p>Inspectors found cracks.</p>",
        "slug": uuid.uuid4().hex,
    }
    return Article.objects.create(**(defaults | values))


def events(article) -> list[OutboxEvent]:
    return list(OutboxEvent.objects.filter(article_id=article_id(article)).order_by("sequence"))


def changed(event: OutboxEvent) -> set[str]:
    return {change["field"] for change in event.changes}


def test_one_save_of_row_tags_and_credits_is_one_event():
    article = make_article()
    tags = [Tag.objects.create(name=name) for name in ("bridge", "transport", "safety")]
    authors = [Author.objects.create(name=name, byline=name) for name in ("Kim", "Ada")]
    with context(actor=EDITOR, channel="web"):
        article.headline = "Harbour bridge to reopen"
        article.save()
        article.tags.set(tags)
        for position, author in enumerate(authors):
            Credit.objects.create(article=article, author=author, position=position)
    assert [event.sequence for event in events(article)] == [1, 2]
    event = events(article)[-1]
    assert changed(event) == {"headline", "tags", "credits"}
    assert event.actor_id == EDITOR.id
    credits = next(change for change in event.changes if change["field"] == "credits")
    assert credits["after_ids"] == [str(author.pk) for author in authors]
    assert event.labels["credits"] == {str(author.pk): author.byline for author in authors}


def test_the_text_before_and_after_are_kept_whole():
    article = make_article(body="<p>old 😀</p>")
    Article.objects.filter(pk=article.pk).update(body="<p>between</p>")
    with transaction.atomic():
        Article.objects.filter(pk=article.pk).update(body="<p>never seen</p>")
        Article.objects.filter(pk=article.pk).update(body="<p>new</p>")
    *_, second, third = events(article)
    assert (second.text_fields, second.texts_before, second.texts_after) == (
        ["body"],
        ["<p>old 😀</p>"],
        ["<p>between</p>"],
    )
    assert (third.texts_before, third.texts_after) == (["<p>between</p>"], ["<p>new</p>"])


def test_a_thousand_rows_by_update_bulk_create_bulk_update_and_sql_are_a_thousand_events_each():
    articles = Article.objects.bulk_create([Article(headline=f"H{n}", slug=f"s{n}", body="b") for n in range(1000)])
    Article.objects.update(status="in_review")
    for article in articles:
        article.headline += "!"
    Article.objects.bulk_update(articles, ["headline"])
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE newsroom_article SET body = body || ' more'")
    assert OutboxEvent.objects.count() == 4000
    assert set(Head.objects.values_list("sequence", flat=True)) == {4}
    assert OutboxEvent.objects.filter(sequence=4, changes=[{"field": "body", "kind": "text"}]).count() == 1000


def test_a_save_that_changes_nothing_is_no_event_unless_it_is_asked_for():
    article = make_article()
    article.save()
    assert len(events(article)) == 1
    with context(actor=EDITOR):
        article.save()
        record_save(article)
    assert [event.changes for event in events(article)] == [[], []]
    assert events(article)[-1].operation == "update"


def test_untracked_columns_make_no_event():
    article = make_article()
    Article.objects.filter(pk=article.pk).update(updated_at="2020-01-01T00:00Z")
    assert len(events(article)) == 1


class Failed(Exception):
    pass


def _fail_after_a_change(article: Article, within: AbstractContextManager[object]) -> None:
    with within:
        Article.objects.filter(pk=article.pk).update(headline="undone")
        raise Failed


def test_a_rollback_leaves_nothing_and_a_savepoint_only_what_was_kept():
    article = make_article()
    with pytest.raises(Failed):
        _fail_after_a_change(article, transaction.atomic())
    with transaction.atomic():
        sid = transaction.savepoint()
        Article.objects.filter(pk=article.pk).update(headline="undone", slug="undone")
        transaction.savepoint_rollback(sid)
        Article.objects.filter(pk=article.pk).update(body="kept")
    assert [changed(event) for event in events(article)] == [set(), {"body"}]


def test_each_context_within_a_transaction_has_its_own_event():
    article = make_article()
    other = Actor("service", "spellchecker")
    with context(actor=EDITOR):
        Article.objects.filter(pk=article.pk).update(headline="by the editor")
        with context(actor=other, channel="task"):
            Article.objects.filter(pk=article.pk).update(headline="by the spellchecker")
        Article.objects.filter(pk=article.pk).update(headline="by the editor again")
    found = [
        (event.actor_id, event.context, event.changes[0]["before"], event.changes[0]["after"])
        for event in events(article)[1:]
    ]
    assert found == [
        (EDITOR.id, {}, "Harbour bridge closed", "by the editor"),
        (other.id, {"channel": "task"}, "by the editor", "by the spellchecker"),
        (EDITOR.id, {}, "by the spellchecker", "by the editor again"),
    ]


def test_a_failed_inner_context_gives_its_place_back():
    article = make_article()
    with context(actor=EDITOR):
        with pytest.raises(Failed):
            _fail_after_a_change(article, context(actor=Actor("service", "crashing")))
        Article.objects.filter(pk=article.pk).update(headline="kept")
    assert [(event.actor_id, event.title) for event in events(article)[1:]] == [(EDITOR.id, "kept")]


def test_deletion_ends_an_article_and_re_creation_continues_its_sequence():
    article = make_article()
    article.tags.add(Tag.objects.create(name="bridge"))
    pk = article.pk
    article.delete()
    again = make_article(pk=pk)
    assert [(event.sequence, event.operation) for event in events(again)] == [
        (1, "create"),
        (2, "update"),
        (3, "delete"),
        (4, "create"),
    ]


def test_created_and_deleted_in_one_transaction_leaves_no_trace():
    with transaction.atomic():
        make_article().delete()
    assert not OutboxEvent.objects.exists() and not Head.objects.exists()


def test_a_changed_identity_ends_one_article_and_begins_another():
    article = make_article()
    Article.objects.filter(pk=article.pk).update(id=article.pk + 1000)
    assert [event.operation for event in events(article)] == ["create", "delete"]
    assert [event.operation for event in events(Article(pk=article.pk + 1000))] == ["create"]


def test_a_related_row_that_moves_touches_both_articles():
    first, second = make_article(), make_article()
    credit = Credit.objects.create(article=first, author=Author.objects.create(name="Kim", byline="Kim"))
    Credit.objects.filter(pk=credit.pk).update(article=second)
    assert changed(events(first)[-1]) == changed(events(second)[-1]) == {"credits"}


def test_what_was_changed_while_triggers_were_off_is_an_event_of_its_own_by_an_unknown_actor():
    article = make_article()
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE newsroom_article DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE newsroom_article SET body = 'forged', section_id = NULL, status = 'published' WHERE id = %s",
            [article.pk],
        )
        cursor.execute("ALTER TABLE newsroom_article ENABLE TRIGGER USER")
    with context(actor=EDITOR):
        Article.objects.filter(pk=article.pk).update(headline="honest", body="honest too")
    unknown, known = events(article)[1:]
    assert (unknown.actor_type, unknown.actor_id, changed(unknown)) == ("unknown", None, {"body", "status"})
    assert unknown.keyframe and unknown.texts_after[unknown.text_fields.index("body")] == "forged"
    assert (known.actor_id, changed(known), known.texts_before) == (EDITOR.id, {"body", "headline"}, ["forged"])


def test_an_article_that_was_there_before_the_trail_starts_as_it_was():
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE newsroom_article DISABLE TRIGGER USER")
        article = make_article_as_owner(headline="older than the trail")
        cursor.execute("ALTER TABLE newsroom_article ENABLE TRIGGER USER")
    with context(actor=EDITOR):
        Article.objects.filter(pk=article.pk).update(headline="edited")
    create, edit = events(article)
    assert (create.operation, create.actor_type, create.title) == ("create", "unknown", "older than the trail")
    assert (edit.actor_id, edit.changes[0]["before"]) == (EDITOR.id, "older than the trail")


def make_article_as_owner(**values) -> Article:
    article = Article(slug=uuid.uuid4().hex, body="b", **values)
    article.save(using="owner")
    return article


def test_an_event_names_the_author_as_of_then():
    author = Author.objects.create(name="Kim", byline="Kim Reyes", desk="News", role="reporter")
    actor = Actor("user", f"newsroom.author:{author.pk}")
    with context(actor=actor):
        article = make_article()
    Author.objects.filter(pk=author.pk).update(desk="Business")
    Author.objects.filter(pk=author.pk).update(desk="Business")
    with context(actor=actor):
        Article.objects.filter(pk=article.pk).update(headline="later")
    assert [event.actor_version for event in events(article)] == [1, 2]
    assert list(ActorVersion.objects.filter(actor_id=actor.id).order_by("version").values_list("desk", flat=True)) == [
        "News",
        "Business",
    ]


def test_truncate_is_refused():
    with pytest.raises(DatabaseError, match="without a trace"), connections["owner"].cursor() as cursor:
        cursor.execute("TRUNCATE newsroom_article CASCADE")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audittrail_outboxevent SET title = 'x'",
        "DELETE FROM audittrail_outboxevent",
        "INSERT INTO audittrail_head SELECT * FROM audittrail_head",
        "UPDATE audittrail_head SET sequence = 0",
        "UPDATE audittrail_auditevent SET title = 'x'",
        "DELETE FROM audittrail_auditevent",
        "DELETE FROM audittrail_actorversion",
        "SELECT * FROM audit_touched",
        "SELECT audit_touch('newsroom.article', '1', '{}', true, '{}', '{}', '{}')",
        "ALTER TABLE newsroom_article DISABLE TRIGGER ALL",
    ],
)
def test_the_site_cannot_rewrite_the_trail(statement):
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be owner"),
        connections["default"].cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audittrail_auditevent SET title = 'x'",
        "DELETE FROM audittrail_auditevent",
        "UPDATE audittrail_outboxevent SET hash = ''",
        "UPDATE audittrail_head SET sequence = 0",
    ],
)
def test_the_pipeline_can_only_add(statement):
    with pytest.raises(DatabaseError, match="permission denied"), connections["pipeline"].cursor() as cursor:
        cursor.execute(statement)


def test_the_site_may_use_a_table_that_a_later_migration_adds():
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigint GENERATED BY DEFAULT AS IDENTITY, name text)")
    with connections["default"].cursor() as cursor:
        cursor.execute("INSERT INTO later (name) VALUES ('x') RETURNING id")
        assert cursor.fetchall() == [(1,)]


def test_migrating_again_keeps_capture_as_it_is_and_a_missing_trigger_is_seen():
    assert inspect("owner").is_on
    install("owner")
    article = make_article()
    assert len(events(article)) == 1


def test_the_table_of_touches_of_an_earlier_version_is_made_anew():
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP TABLE audit_touched CASCADE")
        cursor.execute("CREATE UNLOGGED TABLE audit_touched (xid xid8, article_id text, leads boolean)")
    install("owner")
    assert len(events(make_article())) == 1


def _overlapping_writer(
    database: str, ids: list[int], tags: list[int], seed: int, failures: list, until: threading.Event
) -> None:
    import random

    chance = random.Random(seed)
    default = connections["default"].settings_dict
    with psycopg.connect(
        host=default["HOST"], port=default["PORT"], user=default["USER"], password=default["PASSWORD"], dbname=database
    ) as own:
        while not until.is_set():
            chosen = sorted(chance.sample(ids, 3))
            try:
                with own.transaction():
                    for pk in chosen:
                        own.execute(
                            "UPDATE newsroom_article SET headline = %s, body = body || %s WHERE id = %s",
                            (f"{seed} {chance.random()}", f" {seed}", pk),
                        )
                    for pk in chosen:
                        own.execute(
                            "INSERT INTO newsroom_article_tags (article_id, tag_id) VALUES (%s, %s) "
                            "ON CONFLICT DO NOTHING",
                            (pk, chance.choice(tags)),
                        )
                        own.execute(
                            "DELETE FROM newsroom_article_tags WHERE article_id = %s AND tag_id = %s",
                            (pk, chance.choice(tags)),
                        )
            except psycopg.errors.DeadlockDetected as error:
                failures.append(error)


def test_eight_threads_changing_overlapping_articles_leave_no_gap_and_no_deadlock(fresh_database):
    Section.objects.create(name="World", slug="world")
    ids = [make_article().pk for _ in range(20)]
    tags = [Tag.objects.create(name=f"t{n}").pk for n in range(5)]
    failures: list[Exception] = []
    until = threading.Event()
    threads = [
        threading.Thread(target=_overlapping_writer, args=(fresh_database, ids, tags, seed, failures, until))
        for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    until.wait(8)
    until.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert OutboxEvent.objects.count() > 500
    for pk in ids:
        trail = events(Article(pk=pk))
        assert [event.sequence for event in trail] == list(range(1, len(trail) + 1))
        assert_continuous(trail)


def assert_continuous(trail: list[OutboxEvent]) -> None:
    """Every `before` is the `after` before it, and every hash is chained."""
    state: dict[str, object] = {}
    texts: dict[str, str | None] = {}
    previous = b"\0" * 32
    for event in trail:
        assert bytes(event.previous_hash) == previous
        previous = bytes(event.hash)
        if event.operation == "create":
            state = {**(event.scalars or {}), **(event.relations or {})}
        for change in event.changes:
            if change["kind"] == "scalar":
                assert change["before"] == state[change["field"]]
                state[change["field"]] = change["after"]
            elif change["kind"] == "relation":
                assert change["before_ids"] == state[change["field"]]
                state[change["field"]] = change["after_ids"]
        names = {change["field"] for change in event.changes}
        for name, before, after in zip(event.text_fields, event.texts_before, event.texts_after, strict=True):
            if event.operation == "update" and name in names:
                assert before == texts[name]
            texts[name] = after
