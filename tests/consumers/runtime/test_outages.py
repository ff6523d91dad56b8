"""Something outside goes away and comes back: stages wait, stay members, and catch up by themselves."""

import threading

import pytest
from confluent_kafka import Consumer
from django.db import connections

import stack
from audittrail.models import AuditEvent
from consumers import conf
from consumers.kafka import schema_registry
from consumers.models import Member
from consumers.records import Record
from consumers.runtime import delivery
from consumers.runtime.batcher import Batch
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from testkit.consumers.gate import Gate
from testkit.consumers.running import positions, put_events, raw, running
from testkit.waiting import until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def postgres(own_trail, monkeypatch):
    """A gate between the pipeline and PostgreSQL."""
    monkeypatch.setenv("AUDIT_RETRY_CAP", "1")
    with Gate(stack.addresses().postgres) as gate:
        settings = connections["pipeline"].settings_dict
        real = settings["HOST"], settings["PORT"]
        connections["pipeline"].close()
        settings["HOST"], settings["PORT"] = "127.0.0.1", gate.port
        yield gate
        connections["pipeline"].close()
        settings["HOST"], settings["PORT"] = real


def passed(group: str, topic: str) -> int:
    return sum(positions(conf.group(group), topic).values())


def test_the_database_sink_waits_for_postgresql(postgres):
    with running(Enricher()), running(DatabaseSink()) as sink:
        put_events([raw(number) for number in range(10)])
        until(lambda: AuditEvent.objects.count() == 10, what="rows")
        held = sink.partitions
        postgres.close()
        put_events([raw(number) for number in range(10, 30)])
        until(lambda: passed("processor", conf.raw_topic()) == 30, what="the enricher goes on without PostgreSQL")
        until(lambda: "PostgreSQL" in sink.waits_for, what="the sink waits")
        assert AuditEvent.objects.count() == 10 and sink.partitions == held
        postgres.open()
        until(lambda: AuditEvent.objects.count() == 30, what="all rows")
        until(lambda: Member.objects.get(stage="database").state == "running", what="the sink reports that it runs")


def test_partitions_assigned_while_postgresql_is_away_start_where_the_rows_end(postgres):
    put_events([raw(number) for number in range(10)])
    with running(Enricher()), running(DatabaseSink()):
        until(lambda: AuditEvent.objects.count() == 10, what="rows")
        put_events([raw(number) for number in range(10, 20)])
        until(lambda: AuditEvent.objects.count() == 20, what="rows")
    postgres.close()
    with running(DatabaseSink()) as sink:
        until(lambda: "PostgreSQL" in sink.waits_for, what="the sink waits")
        postgres.open()
        put_events([raw(number) for number in range(20, 30)])
        with running(Enricher()):
            until(lambda: AuditEvent.objects.count() == 30, what="all rows")


def test_a_stage_that_starts_without_the_registry_waits_for_it(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_RETRY_CAP", "1")
    put_events([raw(1)])
    with monkeypatch.context() as away:
        away.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9")
        schema_registry.schemas.cache_clear()
        with running(Enricher()):
            member = until(
                lambda: Member.objects.filter(stage="enricher", state="waiting").first(), what="the enricher waits"
            )
            assert "schema registry" in member.reason
            away.undo()
            schema_registry.schemas.cache_clear()
            until(lambda: passed("processor", conf.raw_topic()) == 1, what="the event is enriched")


def test_a_commit_of_offsets_does_not_wait_for_kafka():
    settings = {"bootstrap.servers": "127.0.0.1:9", "group.id": "away", "log_level": 0}
    # A client that has not reached its group is closed after its session's time.
    consumer = Consumer(settings | {"session.timeout.ms": 500, "heartbeat.interval.ms": 100})
    record = Record("topic", 0, 7, 0, None, {}, b"")
    committing = threading.Thread(target=delivery.commit_offsets, args=(consumer, Batch([record])), daemon=True)
    committing.start()
    committing.join(5)
    assert not committing.is_alive()
