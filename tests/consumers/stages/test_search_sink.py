"""The search sink: each event once, forks as evidence, bad documents alone, waiting while Elasticsearch is away."""

from functools import partial
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from audittrail import conf as audit
from audittrail import contracts
from audittrail.events.event import EnrichedEvent
from audittrail.models import Fork
from audittrail.search import index
from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.records import Record
from consumers.stages.search import SearchSink
from testkit.audittrail import indexes
from testkit.audittrail.events import change
from testkit.audittrail.indexes import event
from testkit.consumers.running import process, put, running
from testkit.consumers.trail import PARTITIONS
from testkit.waiting import until


@pytest.fixture
def sink(own_contracts):
    sink = SearchSink()
    sink.open()
    yield sink
    sink.close()
    indexes.drop()


def record(content: EnrichedEvent | bytes, offset: int = 0) -> Record:
    value = content if isinstance(content, bytes) else schema_registry.codec(contracts.ENRICHED).encode(content)
    return Record(conf.enriched_topic(), 0, offset, 0, None, {}, value)


def sections() -> dict[int, list[str] | None]:
    found = index.stored([("newsroom.article:1", number) for number in range(1, 9)], ["section"])
    return {number: document.get("section") for (_, number), document in found.items()}


def test_the_same_events_again_change_nothing(sink):
    batch = [record(event(1, number), number) for number in (1, 2, 3)]
    for _ in range(3):
        assert sink.process(batch + batch[:1]).rejections == []
    assert indexes.ids() == ["newsroom.article:1:1", "newsroom.article:1:2", "newsroom.article:1:3"]
    assert not Fork.objects.exists()


@pytest.mark.parametrize("batches", [1, 2])
def test_another_hash_is_a_fork_and_overwrites_nothing(sink, batches):
    known, other = record(event(1, 1)), record(event(1, 1, hash=bytes([9]) * 32, title="Forged"), 1)
    for batch in [[known, other]] if batches == 1 else [[known], [other], [other]]:
        assert sink.process(batch).rejections == []
    fork = Fork.objects.get()
    assert (bytes(fork.known_hash), bytes(fork.other_hash)) == (event(1, 1)["hash"], bytes([9]) * 32)
    assert (fork.found_in, fork.other_event["title"]) == ("search", "Forged")
    assert (
        index.stored([("newsroom.article:1", 1)], ["title"])["newsroom.article:1", 1]["title"] == event(1, 1)["title"]
    )


def test_what_is_no_event_or_no_document_is_rejected_alone(sink):
    index.client().indices.delete(index=index.current())
    narrow = {"dynamic": False, "properties": {"title": {"type": "long"}}}
    index.client().indices.create(
        index=f"{audit.search_index()}-000001", mappings=narrow, aliases={audit.search_index(): {}}
    )
    batch = [
        record(event(1, 1, title="42")),
        record(event(1, 2, title="words"), 1),
        record(b"\x01", 2),
        record(event(1, 3, title="43"), 3),
    ]
    outcome = sink.process(batch)
    assert [(each.reason, each.record.offset) for each in outcome.rejections] == [
        ("truncated", 2),
        ("refused_by_index", 1),
    ]
    assert indexes.ids() == ["newsroom.article:1:1", "newsroom.article:1:3"]


def test_an_identity_longer_than_elasticsearch_takes_stops_nothing(sink):
    """Its limit is 512 bytes, and a longer one fails the whole request."""
    long = "newsroom.page:" + "ü" * 400
    batch = [record(event(1, 1)), record(event(1, 1, article_id=long), 1), record(event(1, 2), 2)]
    for _ in range(2):
        assert sink.process(batch).rejections == []
    assert len(indexes.ids()) == 3
    assert index.stored([(long, 1)], ["article_id"])[long, 1]["article_id"] == long
    assert not Fork.objects.exists()


def test_the_section_is_carried_from_event_to_event(sink):
    move = change("section", "scalar", before="3", after="4")
    keyframe = {"values": {"section": "3"}, "relations": {}}
    sink.process([record(event(1, 1, operation="create", changes=[], keyframe=keyframe)), record(event(1, 2), 1)])
    sink.process([record(event(1, 4, changes=[move], labels={"section": {"4": "Sport"}}), 2), record(event(1, 3), 3)])
    sink.process([record(event(1, 5), 4), record(event(1, 7), 5)])
    old, new = ["3", "Politics"], ["4", "Sport"]
    assert sections() == {1: old, 2: old, 3: old, 4: new, 5: new, 7: None}


def test_a_blocked_index_is_waited_for(sink):
    index.client().indices.put_settings(index=index.current(), settings={"index.blocks.write": True})
    with pytest.raises(NotReady, match="blocked"):
        sink.process([record(event(1, 1))])
    index.client().indices.put_settings(index=index.current(), settings={"index.blocks.write": None})
    assert sink.process([record(event(1, 1))]).rejections == [] and len(indexes.ids()) == 1


def test_elasticsearch_away_is_waited_for(sink, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(index, "client", lambda: Elasticsearch("http://127.0.0.1:9", max_retries=0))
        with pytest.raises(NotReady, match="does not answer"):
            sink.process([record(event(1, 1))])
    assert sink.process([record(event(1, 1))]).rejections == [] and len(indexes.ids()) == 1


def test_from_the_enriched_topic_to_the_index(own_trail, sink):
    encode = schema_registry.codec(contracts.ENRICHED).encode
    put(conf.enriched_topic(), [(number % PARTITIONS, b"k", encode(event(number, 1)), {}) for number in range(40)])
    with running(SearchSink()):
        until(lambda: len(indexes.ids()) == 40, what="40 documents")


def _at_least(count: int) -> bool:
    return len(indexes.ids()) >= count


def test_killed_while_it_works_it_loses_and_doubles_nothing(own_trail, sink):
    encode = schema_registry.codec(contracts.ENRICHED).encode
    events = [event(number % 8, number // 8 + 1) for number in range(1600)]
    put(conf.enriched_topic(), [(number % PARTITIONS, b"k", encode(each), {}) for number, each in enumerate(events)])
    settings: dict[str, Any] = {"AUDIT_BATCH_RECORDS": "50", "AUDIT_SESSION_TIMEOUT": "6"}
    for enough in (100, 400, 1600):
        with process("search", **settings):
            until(partial(_at_least, enough), what=f"{enough} documents")
    assert len(indexes.ids()) == 1600 and not Fork.objects.exists()
