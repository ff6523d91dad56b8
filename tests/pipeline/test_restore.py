"""Whatever a store lost comes back from the others, proven; what cannot come back is said."""

import hashlib
import io
import uuid
from datetime import timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command

from audittrail import Actor, article_id, conf, context
from audittrail.archive import format, object_names, objects, reader, repair
from audittrail.events import database_rows
from audittrail.integrity.chain import event_hash
from audittrail.integrity.verify import verify
from audittrail.models import Fork
from audittrail.search import documents, index
from newsroom.models import Article
from testkit.databases import pointed_at

ARTICLES = 14
EVENTS = 4


@pytest.fixture(scope="module")
def articles(pipeline_database, django_db_blocker) -> list[str]:
    """Identities of articles with four events each, which have arrived everywhere; a test takes one."""
    with django_db_blocker.unblock(), pointed_at(pipeline_database):
        made = [_written(number) for number in range(ARTICLES)]
        call_command("wait_until_caught_up", timeout=60)
    return made


def _written(number: int) -> str:
    with context(actor=Actor("service", "test")):
        article = Article.objects.create(headline=f"Bridge {number}", body="<p>Cracks.</p>", slug=uuid.uuid4().hex)
    for edit in range(EVENTS - 1):
        with context(actor=Actor("service", "test")):
            Article.objects.filter(pk=article.pk).update(
                headline=f"Bridge {number}, {edit}", body=f"<p>Cracks in {edit} supports.</p>"
            )
    return article_id(article)


@pytest.fixture
def article(pipeline, articles) -> str:
    """One that no other test has touched."""
    return articles.pop()


def restore(**options) -> tuple[int, str]:
    """Exit status and output."""
    output = io.StringIO()
    try:
        call_command("restore_trail", grace=0, stdout=output, stderr=output, **options)
    except SystemExit as ended:
        return int(ended.code or 0), output.getvalue()
    return 0, output.getvalue()


def found(only: str | None = None) -> set[tuple[str, str, int]]:
    return {(finding.store, finding.kind, finding.sequence) for finding in verify(only, grace=timedelta(0)).findings}


def forget_documents(article: str, *sequences: int) -> None:
    for sequence in sequences:
        index.client().delete(index=conf.search_index(), id=documents.document_id(article, sequence), refresh=True)


def objects_of(article: str) -> list[str]:
    return [name for name in reader.current() if any(row["article_id"] == article for row in repair.rows(name))]


def rewrite(name: str, change) -> bytes:
    """Change the rows of an object, leaving its metadata; the changed bytes."""
    kept = objects.read(name)
    content = format.to_parquet(format.table([change(row) for row in format.events(format.from_parquet(kept.content))]))
    objects.replace(name, content, kept.metadata)
    return content


def test_nothing_is_done_to_a_complete_trail(article):
    before = objects.listed("")
    assert restore()[0] == 0
    assert objects.listed("") == before


def test_a_dry_run_names_store_event_source_and_deed_and_changes_nothing(article, superuser):
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = 2", [article])
    status, output = restore(dry_run=True, article=article)
    assert status == 1
    (line,) = [line for line in output.splitlines() if "add the row" in line]
    assert [cell.strip() for cell in line.strip("│ ").split("│")][:4] == ["database", article, "2", "archive"]
    assert ("database", "missing", 2) in found(article)


def test_rows_missing_and_cut_off_come_back_from_the_archive(article, superuser):
    before = list(database_rows.events("e.article_id = %s", [article]))
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence IN (2, 4)", [article])
    assert restore(article=article)[0] == 0
    assert list(database_rows.events("e.article_id = %s", [article])) == before


def test_an_altered_row_is_left_to_the_owner(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else' WHERE article_id = %s AND sequence = 3", [article]
    )
    status, output = restore(article=article)
    assert status == 1 and "--replace-altered" in output
    assert ("database", "altered", 3) in found(article)


def test_the_owner_replaces_an_altered_row_and_keeps_it_as_a_fork(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else' WHERE article_id = %s AND sequence = 3", [article]
    )
    restore(article=article, replace_altered=True)
    assert found(article) == {("database", "fork", 3)}
    assert Fork.objects.get(article_id=article).other_event["actor"]["id"] == "somebody else"
    superuser.execute("DELETE FROM audittrail_fork WHERE article_id = %s", [article])


def test_swapped_rows_are_put_in_order(article, superuser):
    before = list(database_rows.events("e.article_id = %s", [article]))
    superuser.execute(
        "UPDATE audittrail_auditevent SET sequence = -sequence WHERE article_id = %s AND sequence IN (2, 3)", [article]
    )
    superuser.execute(
        "UPDATE audittrail_auditevent SET sequence = 5 + sequence WHERE article_id = %s AND sequence < 0", [article]
    )
    restore(article=article, replace_altered=True)
    assert list(database_rows.events("e.article_id = %s", [article])) == before
    superuser.execute("DELETE FROM audittrail_fork WHERE article_id = %s", [article])


def test_a_replacement_that_breaks_off_has_not_happened(article, superuser, monkeypatch):
    def away(*_):
        raise psycopg.OperationalError("gone")

    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else' WHERE article_id = %s AND sequence = 3", [article]
    )
    monkeypatch.setattr(database_rows, "store_events", away)
    with pytest.raises(CommandError, match="gone"):
        restore(article=article, replace_altered=True)
    assert ("database", "altered", 3) in found(article)
    assert not Fork.objects.filter(article_id=article).exists()


def test_a_forged_row_does_not_spread_to_stores_that_lost_the_event(article, superuser):
    event = next(database_rows.events("e.article_id = %s AND e.sequence = 4", [article]))
    forged = event | {"actor": event["actor"] | {"id": "somebody else"}}
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else', hash = %s WHERE article_id = %s AND sequence = 4",
        [event_hash(forged), article],
    )
    forget_documents(article, 4)
    restore(article=article, store="index")
    stored = index.stored([(article, 4)], ["hash"])
    assert stored[article, 4]["hash"] == event["hash"].hex()


def test_names_that_no_hash_covers_are_taken_from_where_two_stores_agree(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_name = 'Somebody Else' WHERE article_id = %s AND sequence = 3",
        [article],
    )
    restore(article=article, replace_altered=True)
    assert next(database_rows.events("e.article_id = %s AND e.sequence = 3", [article]))["actor_profile"] is None
    superuser.execute("DELETE FROM audittrail_fork WHERE article_id = %s", [article])


def test_documents_missing_and_altered_come_back(article):
    forget_documents(article, 2)
    index.client().update(
        index=conf.search_index(), id=documents.document_id(article, 3), doc={"title": "Another"}, refresh=True
    )
    assert found(article) == {("index", "missing", 2), ("index", "altered", 3)}
    assert restore(article=article)[0] == 0


def test_a_lost_object_is_replaced_by_new_ones(article):
    for name in objects_of(article):
        objects.delete(name)
    assert {("archive", "missing", sequence) for sequence in range(1, EVENTS + 1)} <= found()
    status, output = restore()
    assert status == 0, output
    assert all(object_names.parse_tail(name).topic_id.startswith(object_names.RESTORED) for name in objects_of(article))
    assert not list(reader.check())


def test_a_changed_object_is_rebuilt_and_kept_as_evidence(article):
    name = objects_of(article)[0]
    written = objects.read(name)
    changed = rewrite(name, lambda row: row | {"title": "Another"})
    status, output = restore()
    assert status == 0, output
    assert objects.read(name) == written
    assert changed in [objects.read(kept).content for kept in objects.listed(repair.EVIDENCE + name)]


def test_an_object_that_cannot_be_read_gives_way_to_its_events(article):
    name = objects_of(article)[0]
    objects.replace(name, b"no Parquet", objects.read(name).metadata)
    status, output = restore()
    assert status == 0, output
    assert [objects.read(kept).content for kept in objects.listed(repair.EVIDENCE + name)] == [b"no Parquet"]


def test_an_event_that_only_the_outbox_has_is_published_again(article, pipeline, superuser):
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = 2", [article])
    forget_documents(article, 2)
    for name in objects_of(article):
        rest = [row for row in repair.rows(name) if (row["article_id"], row["sequence"]) != (article, 2)]
        kept, content = objects.read(name), format.to_parquet(format.table(rest))
        objects.replace(name, content, kept.metadata | {"sha256": hashlib.sha256(content).hexdigest()})
    restore()
    pipeline()
    assert found() == set()
