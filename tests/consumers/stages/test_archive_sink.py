"""The archive sink: what it stores, where it starts, and that no restart, repeat or new topic doubles an event."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.files.storage import storages
from django.core.management import call_command

from audittrail import contracts
from audittrail.archive import large_payloads, objects, reader, seal, writer
from audittrail.archive.object_storage import archive_storage
from audittrail.events.event import EnrichedEvent
from consumers import conf
from consumers.errors import Fenced, NotReady
from consumers.kafka import clients, schema_registry, topics
from consumers.operations import sealing
from consumers.records import Partition, Record
from consumers.runtime import delivery
from consumers.stages.archive import ArchiveSink
from testkit.audittrail.events import raw_event
from testkit.audittrail.indexes import event
from testkit.consumers.running import positions, process, put, running
from testkit.consumers.trail import PARTITIONS
from testkit.waiting import until

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(storages["audit"], "bucket_name", f"t{uuid.uuid4().hex[:12]}")
    objects.ensure_bucket()
    yield
    for name in objects.listed(""):
        objects.delete(name)
    archive_storage.client.delete_bucket(Bucket=archive_storage.bucket_name)


@pytest.fixture
def sink(own_trail, bucket):
    sink = ArchiveSink()
    sink.open()
    yield sink
    sink.close()


def record(
    offset: int, content: EnrichedEvent | bytes | None = None, partition: int = 0, at: datetime = NOON
) -> Record:
    value = (
        content
        if isinstance(content, bytes)
        else schema_registry.codec(contracts.ENRICHED).encode(content or event(partition, offset + 1))
    )
    return Record(conf.enriched_topic(), partition, offset, int(at.timestamp() * 1000), None, {}, value)


def stored() -> list[tuple[int, int]]:
    return sorted((each["partition"], each["offset"]) for each in reader.events())


def test_stores_events_with_their_origin(sink):
    original = event(0, 1)
    assert sink.process([record(5, original)]).rejections == []
    (found,) = reader.events()
    origin = {
        "topic_id": topics.ids(clients.admin(), sink.topics())[conf.enriched_topic()],
        "partition": 0,
        "offset": 5,
        "appended_at": NOON,
    }
    assert found == original | origin


def test_a_batch_makes_one_object_for_each_partition_and_day(sink):
    sink.process([record(0), record(1), record(2, at=NOON + timedelta(days=1)), record(0, partition=3)])
    assert len(objects.listed("tail/")) == 3 and stored() == [(0, 0), (0, 1), (0, 2), (3, 0)]


def test_what_is_no_event_is_rejected_alone(sink):
    outcome = sink.process([record(0), record(1, b"\x01"), record(2)])
    assert [each.record.offset for each in outcome.rejections] == [1] and stored() == [(0, 0), (0, 2)]


def test_a_successor_starts_where_the_archive_ends_and_doubles_nothing(sink):
    sink.process([record(offset) for offset in range(4)])
    successor = ArchiveSink()
    successor.open()
    here = [Partition(conf.enriched_topic(), number) for number in (0, 1)]
    assert successor.positions(here) == {here[0]: 4, here[1]: 0}
    successor.process([record(offset) for offset in range(2, 8)])
    sink.process([record(offset) for offset in range(3, 6)])
    successor.close()
    assert stored() == [(0, offset) for offset in range(8)] and list(reader.check()) == []


def test_events_that_come_again_in_a_topic_made_anew_are_left_out(sink, own_trail):
    known = [event(0, number) for number in (1, 2)]
    at = datetime.now(UTC)
    sink.process([record(offset, each, at=at) for offset, each in enumerate(known)])
    make_topic_anew()
    again = ArchiveSink()
    again.open()
    again.process([record(offset, each, at=at) for offset, each in enumerate([*known, event(0, 3)])])
    again.close()
    assert sorted(each["sequence"] for each in reader.events()) == [1, 2, 3]


def test_a_large_event_is_stored_in_full(sink):
    identity = {name: event(0, 1)[name] for name in ("event_id", "article_id", "sequence", "hash", "previous_hash")}
    whole = raw_event(**identity)
    reference = large_payloads.put(schema_registry.codec(contracts.RAW).encode(whole))
    referring: EnrichedEvent = {**event(0, 1), **large_payloads.without_content(whole), "payload": reference}
    sink.process([record(0, referring)])
    (found,) = reader.events()
    assert (found["changes"], found["labels"], found["payload"]) == (whole["changes"], whole["labels"], reference)


def test_an_object_store_away_is_waited_for(sink, monkeypatch):
    def away(*arguments, **named):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    with monkeypatch.context() as patch:
        patch.setattr(archive_storage.client, "put_object", away)
        with pytest.raises(NotReady, match="object store"):
            sink.process([record(0), record(0, partition=1)])
    sink.process([record(0), record(0, partition=1)])
    assert stored() == [(0, 0), (1, 0)]


def make_topic_anew() -> None:
    clients.admin().delete_topics([conf.enriched_topic()])[conf.enriched_topic()].result(20)
    until(lambda: conf.enriched_topic() not in clients.admin().list_topics(timeout=10).topics, what="the topic's end")
    call_command("create_topics")


def fill(count: int) -> None:
    encode = schema_registry.codec(contracts.ENRICHED).encode
    put(
        conf.enriched_topic(),
        [(number % PARTITIONS, b"k", encode(event(number % 8, number // 8 + 1)), {}) for number in range(count)],
    )


def test_from_the_enriched_topic_to_the_archive_and_back_after_a_reset(sink):
    fill(80)
    with running(ArchiveSink()):
        until(lambda: len(stored()) == 80, what="80 events")
    names = objects.listed("tail/")
    fill(16)
    with running(ArchiveSink()):
        until(lambda: len(stored()) == 96, what="96 events")
    assert len(set(stored())) == 96 and set(names) < set(objects.listed("tail/")) and list(reader.check()) == []


def test_offsets_of_a_topic_that_is_gone_hide_nothing_of_the_new_one(sink):
    fill(16)
    with running(ArchiveSink()) as loop:
        until(lambda: len(stored()) == 16, what="16 events")
        make_topic_anew()
        until(lambda: loop.failures, what="the end of a process that read the other topic")
    assert isinstance(loop.failures[0], Fenced)
    fill(80)
    with running(ArchiveSink()):
        until(lambda: len(stored()) >= 96, what="what was before, and all of the new topic")
    assert len(set(stored())) == 80 and list(reader.check()) == []


def test_the_group_learns_what_the_archive_has(sink, monkeypatch):
    fill(16)
    with monkeypatch.context() as lost:
        lost.setattr(delivery, "commit_offsets", lambda consumer, batch: None)
        with running(ArchiveSink()):
            until(lambda: len(stored()) == 16, what="16 events")
    assert sum(positions(conf.group("archive"), conf.enriched_topic()).values()) == 0
    with running(ArchiveSink()):
        until(
            lambda: sum(positions(conf.group("archive"), conf.enriched_topic()).values()) == 16,
            what="its positions committed",
        )


def test_a_day_is_passed_when_everything_appended_on_it_is_archived(sink):
    fill(16)
    today, tomorrow = datetime.now(UTC).date(), datetime.now(UTC) + timedelta(days=1, hours=1)
    assert sealing.passed([today], datetime.now(UTC)) == []
    assert sealing.passed([today], tomorrow) == []
    with running(ArchiveSink()):
        until(lambda: len(stored()) == 16, what="16 events")
    assert sealing.passed([today], tomorrow) == [today] and sealing.passed([today], datetime.now(UTC)) == []
    assert seal.seal(today).events == 16 and len(stored()) == 16
    assert writer.ends(topics.ids(clients.admin(), sink.topics())[conf.enriched_topic()], {0})
    fill(8)
    assert sealing.passed([today], tomorrow) == []


def _at_least(count: int) -> bool:
    return len(stored()) >= count


def test_killed_while_it_works_it_loses_and_doubles_nothing(sink, monkeypatch):
    monkeypatch.setenv("AUDIT_ARCHIVE_BUCKET", archive_storage.bucket_name)
    settings: dict[str, Any] = {"AUDIT_ARCHIVE_BATCH_RECORDS": "50", "AUDIT_SESSION_TIMEOUT": "6"}
    fill(1600)
    for enough in (100, 400):
        with process("archive", **settings):
            until(partial(_at_least, enough), what=f"{enough} events")
    with process("archive", **settings):
        until(lambda: len(stored()) >= 1600, what="all events")
    assert len(stored()) == len(set(stored())) == 1600 and list(reader.check()) == []
