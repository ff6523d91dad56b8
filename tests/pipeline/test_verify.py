"""Every way to tamper with the trail has a name, and verification says it."""

import io
import json
import uuid
from contextlib import contextmanager
from datetime import timedelta

import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command

from audittrail import Actor, article_id, conf, context
from audittrail.archive import format, object_names, objects, reader
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
from audittrail.integrity.chain import event_hash
from audittrail.integrity.fingerprints import EventDigest
from audittrail.integrity.store_comparison import StoreUnavailable
from audittrail.integrity.verify import verify
from audittrail.search import documents, index
from newsroom.models import Article

ARRIVED = timedelta(0)


@pytest.fixture
def article(pipeline) -> str:
    """The identity of an article with six events, which have arrived everywhere."""
    with context(actor=Actor("service", "test")):
        made = Article.objects.create(headline="Bridge", body="<p>Cracks were found.</p>", slug=uuid.uuid4().hex)
    for number in range(5):
        with context(actor=Actor("service", "test")):
            Article.objects.filter(pk=made.pk).update(
                headline=f"Bridge {number}", body=f"<p>Cracks were found in {number} supports.</p>"
            )
    pipeline()
    return article_id(made)


def found(only: str | None = None) -> set[tuple[str, str, int]]:
    """(store, kind, sequence) of everything that verification finds, when all has arrived."""
    report = verify(only, grace=ARRIVED)
    return {(finding.store, finding.kind, finding.sequence) for finding in report.findings}


@contextmanager
def without_documents(article: str, *sequences: int):
    """Some of the article's documents gone from the index; put back at the end."""
    identities = [documents.document_id(article, sequence) for sequence in sequences]
    kept = {name: index.client().get(index=conf.search_index(), id=name)["_source"] for name in identities}
    for name in identities:
        index.client().delete(index=conf.search_index(), id=name, refresh=True)
    yield
    for name, document in kept.items():
        index.client().index(index=conf.search_index(), id=name, document=document, refresh=True)


def test_an_untouched_trail_is_complete(article):
    report = verify()
    assert report.findings == []
    assert report.events["database"] == report.events["index"] == report.events["archive"] >= 6


def test_a_long_trail_is_read_by_two_processes_and_judged_the_same(article, superuser, monkeypatch):
    monkeypatch.setattr("audittrail.integrity.verify.WORTH_A_PROCESS", 0)
    assert found(article) == set()
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_name = 'Nobody' WHERE article_id = %s AND sequence = 3", [article]
    )
    assert ("archive", "altered", 3) in found(article)


def test_where_the_subprocess_has_died_the_archive_counts_as_unverified(article, monkeypatch):
    monkeypatch.setattr("audittrail.integrity.verify.WORTH_A_PROCESS", 0)
    monkeypatch.setattr("audittrail.integrity.archive_digests.sys.executable", "/bin/false")
    report = verify(article, grace=ARRIVED)
    assert ("archive", "unavailable") in {(finding.store, finding.kind) for finding in report.findings}
    assert not report.complete


def test_the_command_exits_with_1_and_a_list_when_something_is_wrong(article, superuser):
    call_command("verify_trail", article=article, stdout=io.StringIO())
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = 3", [article])
    output = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_trail", article=article, json=True, grace=0, stdout=output)
    assert ended.value.code == 1
    assert '"kind": "missing"' in output.getvalue()


def test_an_edited_event_is_altered(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET changes = replace(changes::text, 'Bridge 1', 'Bridge X')::jsonb "
        "WHERE article_id = %s AND sequence = 3",
        [article],
    )
    assert ("database", "altered", 3) in found(article)


def test_edited_metadata_is_altered(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else' WHERE article_id = %s AND sequence = 4", [article]
    )
    assert ("database", "altered", 4) in found(article)


def test_what_the_hash_does_not_cover_is_compared_with_the_copies(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_name = 'Somebody Else' WHERE article_id = %s AND sequence = 4",
        [article],
    )
    assert {("archive", "altered", 4), ("index", "altered", 4)} <= found(article)


def test_a_deleted_event_is_missing(article, superuser):
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = 4", [article])
    assert ("database", "missing", 4) in found(article)


def test_newest_events_cut_off_everywhere_are_cut_off(article, superuser):
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence > 4", [article])
    with without_documents(article, 5, 6):
        assert ("database", "cut_off", 5) in found(article)


def test_a_head_that_was_set_back_is_seen_by_what_was_verified_before(article, superuser):
    assert verify(article, grace=ARRIVED).complete
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence > 4", [article])
    superuser.execute(
        "UPDATE audittrail_head SET sequence = 4, hash = (SELECT hash FROM audittrail_auditevent "
        "WHERE article_id = %s AND sequence = 4) WHERE article_id = %s",
        [article, article],
    )
    assert {("capture", "head_altered", 4), ("database", "cut_off", 5)} <= found(article)


def test_swapped_events_are_reordered(article, superuser):
    superuser.execute(
        "UPDATE audittrail_auditevent SET sequence = -sequence WHERE article_id = %s AND sequence IN (3, 4)", [article]
    )
    superuser.execute(
        "UPDATE audittrail_auditevent SET sequence = 7 + sequence WHERE article_id = %s AND sequence < 0", [article]
    )
    assert {("database", "reordered", 3), ("database", "reordered", 4)} <= found(article)


@pytest.mark.parametrize("sequence", [4, 6])
def test_an_event_forged_with_a_hash_of_its_own_is_a_second_history(article, superuser, sequence):
    event = next(event for event in database_rows.events("e.article_id = %s AND e.sequence = %s", [article, sequence]))
    forged: EnrichedEvent = {**event, "actor": {**event["actor"], "id": "somebody else"}}
    superuser.execute(
        "UPDATE audittrail_auditevent SET actor_id = 'somebody else', hash = %s "
        "WHERE article_id = %s AND sequence = %s",
        [event_hash(forged), article, sequence],
    )
    assert {("database", "forged", sequence), ("archive", "forged", sequence), ("index", "forged", sequence)} <= found(
        article
    )


def test_a_changed_document_is_altered(article):
    name = documents.document_id(article, 2)
    kept = index.client().get(index=conf.search_index(), id=name)["_source"]
    index.client().index(index=conf.search_index(), id=name, document={**kept, "title": "Another"}, refresh=True)
    findings = found(article)
    index.client().index(index=conf.search_index(), id=name, document=kept, refresh=True)
    assert findings == {("index", "altered", 2)}


def test_a_missing_document_is_missing(article):
    with without_documents(article, 2):
        assert found(article) == {("index", "missing", 2)}


def test_a_row_changed_with_triggers_off_differs_from_what_was_captured(article, superuser):
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "UPDATE newsroom_article SET headline = 'Never captured' WHERE id = %s", [article.rpartition(":")[2]]
    )
    assert ("capture", "live_differs", 0) in found(article)


@contextmanager
def replaced(name: str, content: bytes | None):
    """An object of the archive with other content, or gone; put back at the end."""
    from audittrail.archive.object_storage import archive_storage

    client, bucket = archive_storage.client, archive_storage.bucket_name
    kept = objects.read(name)
    client.delete_object(Bucket=bucket, Key=name)
    if content is not None:
        client.put_object(Bucket=bucket, Key=name, Body=content, Metadata=kept.metadata)
    yield
    client.put_object(Bucket=bucket, Key=name, Body=kept.content, Metadata=kept.metadata)


def object_of(article: str) -> str:
    """The name of an archive object with an event of the article."""
    for name in reader.current():
        if any(
            event["article_id"] == article for event in format.events(format.from_parquet(objects.read(name).content))
        ):
            return name
    raise AssertionError(f"no object holds {article}")


def test_a_changed_archive_object_is_named(article):
    name = object_of(article)
    table = format.from_parquet(objects.read(name).content)
    at = table.schema.get_field_index("title")
    changed = table.set_column(at, "title", pa.array(["Another"] * len(table)))
    with replaced(name, format.to_parquet(changed)):
        kinds = {(finding.store, finding.kind, finding.article_id) for finding in verify().findings}
    assert ("archive", "object_changed", name) in kinds
    assert ("archive", "altered", article) in kinds


def test_a_missing_archive_object_leaves_its_events_missing(article):
    with replaced(object_of(article), None):
        findings = verify(grace=ARRIVED).findings
    assert {("archive", "missing", article)} <= {
        (finding.store, finding.kind, finding.article_id) for finding in findings
    }


def test_an_added_archive_object_is_named(article):
    known = object_names.parse_tail(object_of(article))
    name = known.name.replace(f"{known.first:020d}", f"{known.first + 10**9:020d}")
    kept = objects.read(known.name)
    from audittrail.archive.object_storage import archive_storage

    client, bucket = archive_storage.client, archive_storage.bucket_name
    client.put_object(Bucket=bucket, Key=name, Body=kept.content, Metadata=kept.metadata)
    findings = {(finding.store, finding.kind) for finding in verify().findings}
    client.delete_object(Bucket=bucket, Key=name)
    assert findings & {("archive", "doubled"), ("archive", "added"), ("archive", "object_changed")}


def test_incremental_verification_reads_only_what_moved(article):
    assert verify(incremental=True, grace=ARRIVED).complete
    assert verify(incremental=True, grace=ARRIVED).events["database"] == 0
    with context(actor=Actor("service", "test")):
        Article.objects.filter(pk=article.rpartition(":")[2]).update(headline="Moved")
    call_command("wait_until_caught_up", timeout=60)
    report = verify(incremental=True, grace=ARRIVED)
    assert report.complete
    assert report.events["database"] == 7


def test_what_was_published_just_now_is_on_its_way_and_not_lost(article, superuser):
    superuser.execute("DELETE FROM audittrail_auditevent WHERE article_id = %s AND sequence = 6", [article])
    report = verify(article, grace=timedelta(hours=1))
    assert report.pending["database"] == 1
    assert not {finding for finding in report.findings if finding.store == "database"}


class Copies:
    """A further store: the database's events of an article but for some."""

    name = "warehouse"

    def __init__(self, *lacking: int):
        self.lacking = lacking

    def digests(self, article_id):
        for event in database_rows.events("e.article_id = %s", [article_id]):
            if event["sequence"] not in self.lacking:
                yield EventDigest.of(event)


class Away(Copies):
    def digests(self, article_id):
        raise StoreUnavailable("The warehouse does not answer.")


def test_what_a_further_store_lacks_is_missing_there(article, monkeypatch):
    monkeypatch.setattr("audittrail.integrity.verify.further_stores", [Copies(3)])
    assert found(article) == {("warehouse", "missing", 3)}


def test_events_of_a_further_store_are_counted_and_shown(article, monkeypatch):
    monkeypatch.setattr("audittrail.integrity.verify.further_stores", [Copies()])
    output = io.StringIO()
    call_command("verify_trail", article=article, stdout=output)
    assert "warehouse" in output.getvalue()
    report = verify(article)
    assert report.complete and report.events["warehouse"] == report.events["database"]


def test_a_further_store_that_is_away_proves_nothing(article, monkeypatch):
    monkeypatch.setattr("audittrail.integrity.verify.further_stores", [Away()])
    assert found(article) == {("warehouse", "unavailable", 0)}


def test_without_further_stores_the_json_names_three(article):
    output = io.StringIO()
    call_command("verify_trail", article=article, json=True, stdout=output)
    report = json.loads(output.getvalue())
    assert list(report["events"]) == list(report["pending"]) == ["database", "index", "archive"]


@pytest.mark.parametrize("asked", ["newsroom.article:0", "nonsense"])
def test_an_article_that_was_never_captured_is_not_called_complete(article, asked):
    with pytest.raises(CommandError, match=f"--article {asked}: no such article was captured"):
        call_command("verify_trail", article=asked, stdout=io.StringIO())
