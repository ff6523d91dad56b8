"""Large events: every reader resolves the reference; one that leads nowhere, or elsewhere, is a dead letter with a
name.
"""

import uuid

import pytest
from django.core.management import call_command

from audittrail import conf as audit
from audittrail import contracts
from audittrail.archive import large_payloads, objects, reader, seal
from audittrail.events.event import EnrichedEvent, Event
from audittrail.models import AuditEvent
from audittrail.search import index
from consumers import conf, stages
from consumers.kafka import schema_registry
from consumers.messages import large_payloads as stage_payloads
from consumers.records import Partition, Record
from testkit.audittrail.events import enriched_event, raw_event, text_change

STAGES = ("database", "search", "archive")
TEXT = "word " * 20_000


@pytest.fixture(params=STAGES)
def sink(request, own_trail, own_bucket):
    stage_payloads._raw.cache_clear()
    stage = stages.find(request.param).make_stage()
    stage.open()
    if request.param == "database":
        stage.positions([Partition(conf.enriched_topic(), 0)])
    yield stage
    stage.close()
    if request.param == "search":
        index.client().indices.delete(index=list(index.client().indices.get(index=f"{own_trail}*")))


def large() -> tuple[Event, EnrichedEvent]:
    """A raw event too large for a message, and the enriched one that refers to it."""
    raw = raw_event(event_id=uuid.uuid4(), changes=[text_change("body", (0, "", TEXT))])
    stored = large_payloads.put(schema_registry.codec(contracts.RAW).encode(raw))
    return raw, enriched_event(**large_payloads.without_content(raw) | {"payload": stored})


def record(event: EnrichedEvent) -> Record:
    return Record(
        conf.enriched_topic(),
        0,
        0,
        1_795_000_000_000,
        None,
        {},
        schema_registry.codec(contracts.ENRICHED).encode(event),
    )


def _inserted(event: Event) -> str:
    edits = event["changes"][0]["edits"]
    assert edits
    return edits[0]["inserted"]


def test_every_sink_stores_the_whole(sink):
    _, event = large()
    assert sink.process([record(event)]).rejections == []
    stored = {
        "database": lambda: AuditEvent.objects.get().changes[0]["edits"][0]["inserted"],
        "search": lambda: index.stored([(event["article_id"], event["sequence"])], ["inserted"]).popitem()[1][
            "inserted"
        ],
        "archive": lambda: _inserted(next(reader.events())),
    }[sink.name]()
    assert TEXT.strip() in (stored if isinstance(stored, str) else " ".join(stored))


def test_a_payload_that_is_not_there_is_a_named_dead_letter(sink):
    _, event = large()
    event["payload"] = {"sha256": bytes(32), "size": 7}
    (rejection,) = sink.process([record(event)]).rejections
    assert (rejection.reason, rejection.article_id, rejection.sequence) == (
        "payload_missing",
        event["article_id"],
        event["sequence"],
    )


def test_a_payload_that_was_altered_is_a_named_dead_letter(sink):
    _, event = large()
    assert event["payload"]
    objects.replace(large_payloads.name_of(event["payload"]["sha256"]), b"something else", {})
    (rejection,) = sink.process([record(event)]).rejections
    assert rejection.reason == "payload_altered"


def test_the_enricher_names_them_too(own_trail, own_bucket):
    enricher = stages.ENRICHER.make_stage()
    enricher.open()
    raw, _ = large()
    broken = large_payloads.without_content(raw) | {
        "payload": {"sha256": bytes(32), "size": 7},
        "actor": raw["actor"] | {"version": None},
    }
    (rejection,) = enricher.process(
        [Record(conf.raw_topic(), 0, 0, 0, None, {}, schema_registry.codec(contracts.RAW).encode(broken))]
    ).rejections
    assert rejection.reason == "payload_missing"
    enricher.close()


def test_sealing_and_pruning_leave_every_payload_where_it_is(own_trail, own_bucket, monkeypatch):
    sink = stages.ARCHIVE.make_stage()
    sink.open()
    _, event = large()
    sink.process([record(event)])
    sink.close()
    (day,) = seal.open_days()
    seal.seal(day)
    monkeypatch.setattr(audit, "tail_days", lambda: -1000)
    call_command("seal_archive", "--delete-tails")

    assert objects.listed("tail/") == []
    assert event["payload"]
    assert large_payloads.get(event["payload"])
    assert [each["payload"] for each in reader.events()] == [event["payload"]]
