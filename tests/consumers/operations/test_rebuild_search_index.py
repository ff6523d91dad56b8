"""Rebuilding the search index: complete, without a gap, whatever is written meanwhile, and undone when something is
wrong.
"""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from audittrail import conf
from audittrail.archive import objects, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.object_storage import archive_storage
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
from audittrail.search import documents, index, queries, reindex
from audittrail.search.index import SearchUnavailable
from testkit.audittrail import indexes
from testkit.audittrail.events import change
from testkit.audittrail.indexes import event


@pytest.fixture
def own_index(own_trail):
    index.ensure_index()
    yield
    indexes.drop()


def history(articles: int = 5, length: int = 8) -> list[EnrichedEvent]:
    return [event(article, number) for article in range(articles) for number in range(1, length + 1)]


def store(events: list[EnrichedEvent]) -> None:
    index.write([documents.indexed_now(documents.source(each)) for each in events])


def keep(events: list[EnrichedEvent]) -> None:
    """Into the database, as the sink does."""
    from django.db import connections

    with connections["pipeline"].cursor() as cursor:
        connection = cursor.connection
        connection.execute(database_rows.CREATE_INCOMING)
        with connection.transaction():
            database_rows.store_events(connection, events)


def ids(events: list[EnrichedEvent]) -> list[str]:
    return sorted(documents.document_id(each["article_id"], each["sequence"]) for each in events)


def test_a_lost_index_is_made_again_from_the_database(own_index, capsys):
    keep(history())
    call_command("rebuild_search_index")
    assert indexes.ids() == ids(history())
    assert indexes.names() == [f"{conf.search_index()}-000002"] and index.current() == indexes.names()[0]
    assert "40 events of the database" in capsys.readouterr().out


def test_a_dry_run_changes_nothing(own_index, capsys):
    keep(history())
    call_command("rebuild_search_index", "--dry-run")
    assert "40 events in the database, 0 documents" in capsys.readouterr().out
    assert indexes.ids() == [] and indexes.names() == [f"{conf.search_index()}-000001"]


def test_a_document_from_the_database_is_that_of_the_sink(own_index):
    moved = event(
        1, 2, changes=[change("section", "scalar", before="3", after="4")], labels={"section": {"4": "Sport"}}
    )
    events = [event(1, 1), moved, event(1, 3)]
    keep(events)
    reindex.rebuild(events)
    keys = [(each["article_id"], each["sequence"]) for each in events]
    wanted = index.stored(keys, ["*"])
    call_command("rebuild_search_index")
    found = index.stored(keys, ["*"])
    for document in (*wanted.values(), *found.values()):
        document.pop("indexed_at")
    assert found == wanted
    assert [found[key]["section"] for key in keys] == [None, ["4", "Sport"], ["4", "Sport"]]


def test_nothing_is_missing_while_and_after_events_keep_arriving(own_index):
    """A writer that only knows the alias, a reader that never sees fewer, and three rebuilds meanwhile."""
    events = history(20, 50)
    source, arriving = events[:600], iter(events[600:])
    store(source)
    assert len(indexes.ids()) == 600
    stop, seen, failures = threading.Event(), [], []

    def write() -> None:
        while (some := list(islice(arriving, 7))) and not stop.is_set():
            while True:
                try:
                    store(some)
                    break
                except SearchUnavailable as error:
                    failures.append(str(error))
                    stop.wait(0.05)

    def read() -> None:
        while not stop.is_set():
            seen.append(queries.search("", size=1).total)

    monitor = threading.Thread(target=read)
    writing = threading.Thread(target=write)
    monitor.start()
    writing.start()
    for _ in range(3):
        reindex.rebuild(source)
    writing.join()
    stop.set()
    monitor.join()
    assert indexes.ids() == ids(events)
    assert seen == sorted(seen) and seen[0] >= 600, "a search saw fewer events than one before it"
    assert all("blocked" in failure for failure in failures)


def test_documents_unknown_to_the_source_stop_it(own_index, monkeypatch):
    monkeypatch.setattr(reindex, "CATCHING_UP", timedelta(days=-1))
    store(history())
    with pytest.raises(CommandError, match=r"40 documents of .* are not in the source"):
        call_command("rebuild_search_index")
    assert indexes.ids() == ids(history()) and indexes.names() == [f"{conf.search_index()}-000001"]
    store([event(9, 1)])
    call_command("rebuild_search_index", "--drop-others")
    assert indexes.ids() == []


def test_an_interrupted_rebuild_is_cleared_away(own_index, monkeypatch):
    store(history())
    with monkeypatch.context() as patch:
        patch.setattr(index, "move_alias", interrupted)
        patch.setattr(reindex, "_abandon", lambda summary: None)
        with pytest.raises(KeyboardInterrupt):
            reindex.rebuild(history())
    with pytest.raises(SearchUnavailable, match="blocked"):
        store([event(9, 1)])
    reindex.rebuild(history())
    store([event(9, 1)])
    assert indexes.ids() == ids([*history(), event(9, 1)]) and len(indexes.names()) == 1


def test_a_failed_rebuild_leaves_the_index_as_it_was(own_index, monkeypatch):
    store(history())
    with monkeypatch.context() as patch:
        patch.setattr(index, "move_alias", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reindex.rebuild(history())
    store([event(9, 1)])
    assert len(indexes.ids()) == 41 and indexes.names() == [f"{conf.search_index()}-000001"]


def test_a_lost_index_is_made_again_from_the_archive(own_index, monkeypatch, capsys):
    monkeypatch.setattr(storages["audit"], "bucket_name", f"t{uuid.uuid4().hex[:12]}")
    objects.ensure_bucket()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows: list[ArchivedEvent] = [
        {**each, "topic_id": "lost", "partition": 0, "appended_at": at, "offset": offset}
        for offset, each in enumerate(history())
    ]
    position = writer.append("lost", 0, rows[:25], None)
    writer.append("lost", 0, rows[25:], position)
    call_command("rebuild_search_index", "--from", "archive")
    assert indexes.ids() == ids(history()) and "40 events of the archive" in capsys.readouterr().out
    for name in objects.listed(""):
        objects.delete(name)
    archive_storage.client.delete_bucket(Bucket=archive_storage.bucket_name)


def interrupted(old, new) -> None:
    raise KeyboardInterrupt
