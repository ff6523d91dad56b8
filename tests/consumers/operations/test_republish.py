"""Refilling a new cluster from the outbox."""

import uuid

import pytest
from django.core.management import CommandError, call_command

from audittrail.models import OutboxEvent
from consumers import conf, database
from consumers.kafka import clients
from consumers.models import RelayLane
from consumers.relay import lane as lane_module
from consumers.relay import publisher as publisher_module
from consumers.relay.lane import LaneWorker
from consumers.relay.lanes import ensure_lanes
from testkit.consumers.witness import captured, faults, pending, published, some_articles
from testkit.waiting import until


def _publish() -> None:
    with database.connect() as connection:
        ensure_lanes(connection, conf.relay_lanes(), lambda lane: None)
    numbers = clients.offsets_only(conf.relay_group())
    workers = [LaneWorker(lane, "test", numbers, lambda: False) for lane in range(conf.relay_lanes())]
    for worker in workers:
        worker.start()
    try:
        until(
            lambda: not pending() or any(worker.report.state == "halted" for worker in workers), what="a drained outbox"
        )
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(20)
    assert [worker.report.state for worker in workers] == ["stopped"] * len(workers)


@pytest.fixture
def lost_cluster(own_trail, monkeypatch):
    """Twenty events were published, and then Kafka was lost: another prefix stands for the new cluster."""
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    some_articles(20)
    _publish()
    monkeypatch.setenv("AUDIT_PREFIX", f"{own_trail}{uuid.uuid4().hex[:4]}-")
    call_command("create_topics")
    call_command("register_schemas")


def test_a_new_cluster_is_refilled(lost_cluster):
    call_command("republish")
    _publish()

    assert faults(published(), captured()) == {"lost": 0, "doubled": 0, "disordered": 0}


def test_a_topic_that_holds_messages_is_left_alone(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    some_articles(3)
    _publish()

    with pytest.raises(CommandError, match="refilling is for a new topic"):
        call_command("republish")

    assert OutboxEvent.objects.filter(published_at=None).count() == 0


def test_a_running_relay_is_not_interrupted(lost_cluster):
    from datetime import UTC, datetime

    RelayLane.objects.using("pipeline").filter(lane=0).update(
        holder="host/relay-1", expires_at=datetime(2200, 1, 1, tzinfo=UTC)
    )

    with pytest.raises(CommandError, match="1 lanes are held"):
        call_command("republish")


def test_a_quiet_lane_keeps_its_number_in_kafka(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_RELAY_LANES", "1")
    monkeypatch.setattr(lane_module, "NUMBER_KEPT", 0.0)
    kept = []
    original = publisher_module.Publisher.publish

    def publish(self, messages, number):
        original(self, messages, number)
        kept.append((len(messages), number))

    monkeypatch.setattr(publisher_module.Publisher, "publish", publish)
    some_articles(1)
    with database.connect() as connection:
        ensure_lanes(connection, 1, lambda lane: None)
    worker = LaneWorker(0, "test", clients.offsets_only(conf.relay_group()), lambda: False)
    worker.start()

    until(lambda: (0, 1) in kept, what="a number committed anew")
    worker.stop()
    worker.join(20)

    assert kept[0] == (1, 1)
