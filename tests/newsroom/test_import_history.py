import hashlib
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

import audittrail
from audittrail.models import OutboxEvent
from newsroom.history.importer import Importer
from newsroom.history.reader import read
from newsroom.models import Article, Author, ImportedArticle
from testkit.newsroom.histories import event, life, write
from testkit.paths import HISTORY

SMALL = HISTORY / "peps-history-small.jsonl.gz"


@pytest.fixture
def history(tmp_path, fresh_database):
    return write(tmp_path / "history.jsonl.gz", life())


def _events() -> list[OutboxEvent]:
    return list(OutboxEvent.objects.order_by("article_id", "sequence"))


def _import(path, **options) -> None:
    call_command("import_history", str(path), **options)


def test_each_event_becomes_one_event(history):
    _import(history)
    events = _events()
    assert [each.operation for each in events] == ["create", "update", "update", "update", "delete", "create"]
    assert {each.article_id for each in events} == {events[0].article_id}
    assert [each.sequence for each in events] == [1, 2, 3, 4, 5, 6]


def test_actors_and_times_are_the_original_ones(history):
    _import(history)
    bo = Author.objects.get(external_id="u-2")
    assert _events()[3].actor_id == f"newsroom.author:{bo.pk}"
    assert {each.occurred_at for each in _events()} == {datetime(2001, 7, 5, 18, 30, tzinfo=UTC)}
    assert _events()[0].context["channel"] == "import"


def test_someone_in_a_byline_and_an_editor_of_that_name_are_one_author(history):
    _import(history)
    assert sorted(Author.objects.values_list("name", "external_id")) == [("Ada Lane", "u-1"), ("Bo Ek", "u-2")]


def test_credits_keep_their_order(history):
    _import(history, limit=1)
    article = Article.objects.get(external_id="note-1")
    assert [(credit.position, credit.author.name) for credit in article.credits.all()] == [
        (0, "Ada Lane"),
        (1, "Bo Ek"),
    ]


def test_a_foreign_status_is_translated_and_kept(history):
    _import(history, limit=4)
    article = Article.objects.get(external_id="note-1")
    assert (article.status, article.source_status) == ("published", "Final")
    assert article.published_at is not None
    assert article.published_at.year == 2001
    assert [each.status for each in _events()] == ["draft", "published", "published", "published"]


def test_run_again_it_goes_on_and_doubles_nothing(history):
    _import(history, limit=2)
    assert len(_events()) == 2
    _import(history)
    _import(history)
    assert [each.sequence for each in _events()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("place", ["record_save", "_remember"])
def test_an_import_that_died_goes_on_where_it_was(history, monkeypatch, place):
    calls = []

    def dies(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    owner = Importer if place == "_remember" else audittrail
    original = getattr(owner, place)
    with monkeypatch.context() as patch:
        patch.setattr(owner, place, dies)
        with pytest.raises(KeyboardInterrupt):
            _import(history)
    assert len(_events()) == 2 == ImportedArticle.objects.get().revision
    _import(history)
    assert [each.sequence for each in _events()] == [1, 2, 3, 4, 5, 6]


def test_a_longer_file_of_the_same_history_goes_on(history, tmp_path):
    _import(history)
    _import(
        write(tmp_path / "longer.gz", [*life(), event(7, title="Last notes", byline=[], patch="", text="Three.\n")])
    )
    assert _events()[-1].sequence == 7
    assert len(_events()) == 7


def test_a_bad_line_changes_nothing(fresh_database, tmp_path):
    with pytest.raises(CommandError, match="line 2: unknown field 'mood'"):
        _import(write(tmp_path / "h.gz", [life()[0], {**life()[1], "mood": "fine"}]))
    assert not Article.objects.exists()


def test_a_missing_revision_is_named(fresh_database, tmp_path):
    with pytest.raises(CommandError, match="line 2: note-1 revision 3, but revision 2 is next"):
        _import(write(tmp_path / "h.gz", [life()[0], event(3, patch="", text="One.\n")]))


def test_a_headline_over_its_limit_names_line_field_and_limit(fresh_database, tmp_path):
    with pytest.raises(
        CommandError, match="line 1: note-1 revision 1: headline: The headline has 10000 characters; its limit is 300"
    ):
        _import(write(tmp_path / "h.gz", [{**life()[0], "title": "🦀" * 10_000}]))
    assert not Article.objects.exists()


def test_a_nul_character_names_line_and_field(fresh_database, tmp_path):
    with pytest.raises(CommandError, match="line 1: note-1 revision 1: body: The body contains a NUL character"):
        _import(write(tmp_path / "h.gz", [event(1, action="created", body="a\0b")]))


@pytest.mark.skipif(not SMALL.exists(), reason="the history is not beside this checkout")
def test_real_articles_keep_revisions_and_bodies(fresh_database):
    _import(SMALL)
    captured = {(each.article_id, each.sequence): each for each in OutboxEvent.objects.all()}
    pks = dict(ImportedArticle.objects.values_list("external_id", "article_pk"))
    bodies: dict[str, str | None] = {}
    wrong = []
    for told in read(SMALL):
        mine = captured.pop((f"newsroom.article:{pks[told.article_id]}", told.revision))
        if "body" in mine.text_fields:
            bodies[told.article_id] = mine.texts_after[mine.text_fields.index("body")]
        if (
            told.body is not None and _sha256(bodies[told.article_id] or "") != _sha256(told.body)
        ) or mine.occurred_at != told.occurred_at:
            wrong.append((told.article_id, told.revision))
    assert (captured, wrong) == ({}, [])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_article_may_have_no_title_yet(fresh_database, tmp_path):
    _import(write(tmp_path / "h.gz", [{**life()[0], "title": None}, {**life()[1], "title": "Now named"}]))
    assert [event.title for event in _events()] == ["", "Now named"]


def test_names_and_identities_may_be_long(fresh_database, tmp_path):
    name, identity = "Ó Súilleabháin " * 60, "https://cms.example/" + "a" * 1_000
    line = {**life()[0], "article_id": identity, "section": name, "byline": [name], "path": identity}
    _import(write(tmp_path / "h.gz", [{**line, "author": {"id": identity, "name": name}}]))
    article = Article.objects.get()
    assert (article.external_id, article.section and article.section.name) == (identity, name)
    assert len(article.slug) <= 120 and Author.objects.get().name == name


@pytest.mark.parametrize("field", ["article_id", "section"])
def test_what_the_database_cannot_index_is_refused_with_its_line(fresh_database, tmp_path, field):
    too_long = hashlib.sha512(b"").hexdigest() + "".join(map(chr, range(0x4E00, 0x4E00 + 4_000)))
    with pytest.raises(CommandError, match=r"line 2: .* revision 1: index row"):
        _import(write(tmp_path / "h.gz", [life()[0], {**life()[0], "article_id": "n-2", field: too_long}]))
    assert len(_events()) == 1


def test_a_time_that_no_event_may_have_is_refused_with_its_line(fresh_database, tmp_path):
    with pytest.raises(CommandError, match=r"line 1: occurred_at '9999-12-31T23:59:59-05:00' is not from 1900"):
        _import(write(tmp_path / "h.gz", [{**life()[0], "occurred_at": "9999-12-31T23:59:59-05:00"}]))
