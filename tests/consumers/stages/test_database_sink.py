"""The database sink: rows and offsets in one transaction, forks as evidence, bad records alone."""

import uuid

import pytest

from audittrail import contracts
from audittrail.events.event import EnrichedEvent
from audittrail.models import AuditEvent, Fork
from consumers import conf
from consumers.dead_letters import wire_format
from consumers.errors import Fenced
from consumers.kafka import schema_registry
from consumers.models import DeadLetter, SinkOffset
from consumers.records import Partition, Record, Rejection
from consumers.stages.database import DatabaseSink
from testkit.audittrail.events import enriched_event


@pytest.fixture
def sink(own_trail):
    sink = DatabaseSink()
    sink.open()
    sink.positions(everywhere())
    yield sink
    sink.close()


def everywhere() -> list[Partition]:
    return [Partition(conf.enriched_topic(), 0), Partition(conf.dead_letter_topic(), 0)]


def event(sequence: int = 7, **values) -> EnrichedEvent:
    actor = {"type": "user", "id": "17", "version": 3, "snapshot": None}
    return enriched_event(**{"event_id": uuid.uuid4(), "sequence": sequence, "actor": actor, **values})


def record(content: EnrichedEvent | bytes, offset: int = 0) -> Record:
    value = content if isinstance(content, bytes) else schema_registry.codec(contracts.ENRICHED).encode(content)
    return Record(conf.enriched_topic(), 0, offset, 0, None, {}, value)


def stored() -> list[int]:
    return list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True))


def test_stores_every_field(sink):
    original = event()
    assert sink.process([record(original)]).rejections == []
    row = AuditEvent.objects.get()
    assert (row.event_id, row.article_id, row.action, row.actor_byline) == (
        original["event_id"],
        "newsroom.article:42",
        "edited",
        "By Kim Lee",
    )
    assert (
        row.changes == original["changes"] and row.context == original["context"] and row.labels == original["labels"]
    )
    assert (row.occurred_at, bytes(row.hash)) == (original["occurred_at"], original["hash"])
    assert row.keyframe is None and row.payload is None


def test_the_same_event_again_changes_nothing(sink):
    once = event()
    sink.process([record(once)])
    assert sink.process([record(once, 1), record(once, 2)]).rejections == []
    assert stored() == [7] and not Fork.objects.exists()


def test_offsets_are_committed_with_the_rows(sink):
    sink.process([record(event(), 41)])
    assert sink.positions(everywhere()) == {everywhere()[0]: 42, everywhere()[1]: 0}


@pytest.mark.parametrize("batches", [1, 2])
def test_another_hash_for_the_same_sequence_is_a_fork(sink, batches):
    known, other = event(), event(hash=bytes([9]) * 32, title="Forged")
    for batch in [[record(known), record(other, 1)]] if batches == 1 else [[record(known)], [record(other, 1)]]:
        assert sink.process(batch).rejections == []
    fork = Fork.objects.get()
    assert bytes(fork.known_hash) == known["hash"] and bytes(fork.other_hash) == other["hash"]
    assert fork.other_event["title"] == "Forged" and fork.found_in == "database"
    assert AuditEvent.objects.get().title == known["title"]


def test_an_event_id_that_is_taken_is_rejected(sink):
    first = event()
    outcome = sink.process([record(first), record(event(8, event_id=first["event_id"]), 1)])
    assert [(each.reason, each.sequence) for each in outcome.rejections] == [("event_id_reused", 8)]


@pytest.mark.parametrize(
    "poison",
    [
        {"title": "a\0b"},
        {"labels": {"section": {"3": "a\0b"}}},
        {"words_added": 2**40},
        {"article_id": "".join(map(chr, range(20000, 24000)))},
    ],
    ids=["nul", "nul in json", "out of range", "key too long"],
)
def test_what_postgresql_refuses_is_rejected_alone(sink, poison):
    outcome = sink.process([record(event(n, **(poison if n == 4 else {})), n) for n in range(2, 8)])
    assert [(each.reason, each.sequence) for each in outcome.rejections] == [("unstorable", 4)]
    assert stored() == [2, 3, 5, 6, 7]


def test_a_successor_reads_again_what_was_rejected_until_the_next_batch(sink):
    sink.process([record(event(2), 1), record(b"no event", 2), record(event(3), 3), record(b"none", 4)])
    assert sink.positions(everywhere())[everywhere()[0]] == 2
    sink.process([record(event(4), 5)])
    assert sink.positions(everywhere())[everywhere()[0]] == 6


def test_what_is_no_event_is_rejected_with_its_reason(sink):
    outcome = sink.process([record(b"\x00"), record(b"no event", 1), record(event(), 2)])
    assert [each.reason for each in outcome.rejections] == ["truncated", "wrong_magic_byte"]
    assert stored() == [7]


def test_a_predecessor_whose_lease_was_taken_commits_nothing(sink):
    successor = DatabaseSink()
    successor.positions(everywhere())
    with pytest.raises(Fenced):
        sink.process([record(event(), 5)])
    assert stored() == [] and set(SinkOffset.objects.values_list("offset", flat=True)) == {0}
    successor.close()


def letter_of(rejection: Rejection, offset: int = 0) -> Record:
    message = wire_format.Writer("enricher", schema_registry.schemas()).message(rejection)
    return Record(conf.dead_letter_topic(), 0, offset, 0, message.key, message.headers, message.value)


def test_a_dead_letter_becomes_a_row_once(sink):
    origin = Record(
        conf.raw_topic(), 3, 17, 1_764_000_000_000, b"key", {"ce_id": b"\xff", "empty": None}, b"\x00\x01bad"
    )
    letter = letter_of(Rejection(origin, "malformed", "not an event\0", "newsroom.article:1", 5))
    sink.process([letter])
    sink.process([letter])
    row = DeadLetter.objects.get()
    assert (row.stage, row.reason, row.origin_topic, row.origin_partition, row.origin_offset) == (
        "enricher",
        "malformed",
        conf.raw_topic(),
        3,
        17,
    )
    assert row.key and row.value and row.origin_timestamp
    assert (bytes(row.key), bytes(row.value), row.headers) == (b"key", b"\x00\x01bad", {"ce_id": "/w==", "empty": None})
    assert (row.article_id, row.sequence, row.origin_timestamp.timestamp()) == ("newsroom.article:1", 5, 1_764_000_000)


def test_what_is_no_dead_letter_is_rejected(sink):
    outcome = sink.process([Record(conf.dead_letter_topic(), 0, 0, 0, None, {}, b"\x00\x00\x00\x00\x01{}")])
    assert [each.reason for each in outcome.rejections] == ["wrong_schema"]
