"""Processes that die, freeze and come back, and what the others notice of it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from audittrail import contracts
from audittrail.events.event import Event
from consumers import conf
from consumers.kafka import schema_registry
from consumers.models import Member
from consumers.runtime import metrics
from consumers.stages.enricher import Enricher
from testkit.consumers.running import positions, process, put_events, raw, running
from testkit.consumers.trail import PARTITIONS
from testkit.consumers.witness import committed
from testkit.waiting import until

pytestmark = pytest.mark.timeout(120)


@contextmanager
def feeding() -> Iterator[list[Event]]:
    """A steady flow of events for as long as the block runs."""
    events: list[Event] = []
    stop = threading.Event()

    def feed() -> None:
        while not stop.is_set():
            fresh = [raw(len(events) + number) for number in range(20)]
            put_events(fresh)
            events.extend(fresh)
            stop.wait(0.05)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield events
    finally:
        stop.set()
        thread.join()


def all_done(events: list[Event]) -> None:
    until(
        lambda: sum(positions(conf.group("processor"), conf.raw_topic()).values()) == len(events),
        what="all events through",
    )
    codec = schema_registry.codec(contracts.ENRICHED)
    found = [
        codec.decode(message.value(), schema_registry.schemas().by_id)["event_id"]
        for message in committed(conf.enriched_topic())
    ]
    assert sorted(found) == sorted(event["event_id"] for event in events)


def rebalanced() -> float:
    events = ("assigned", "revoked", "lost")
    return sum(metrics.REBALANCED.labels("enricher", event)._value.get() for event in events)


def holding(slot: int, partitions: int, since: int = 0) -> Member:
    """The member, once it holds so many partitions, in another process than `since`."""
    rows = Member.objects.filter(stage="enricher", slot=slot).exclude(pid=since)
    return until(
        lambda: next((row for row in rows.all() if len(row.partitions) == partitions), None),
        what=f"{partitions} partitions in slot {slot}",
    )


def test_a_member_killed_and_restarted_in_time_moves_nothing(own_trail):
    with feeding() as events, running(Enricher(), slot=2) as other, process("enricher", slot=1) as first:
        dead = holding(1, PARTITIONS // 2).pid
        before, kept = rebalanced(), other.partitions
        first.kill()
        first.wait()
        with process("enricher", slot=1):
            holding(1, PARTITIONS // 2, since=dead)
            assert (rebalanced(), other.partitions) == (before, kept)
            until(lambda: len(events) > 200, what="some events more")
    with running(Enricher(), slot=2), running(Enricher(), slot=1):
        all_done(events)


def test_a_member_frozen_until_it_is_given_up_doubles_nothing_when_it_thaws(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_SESSION_TIMEOUT", "6")
    with process("enricher", slot=1) as frozen, running(Enricher(), slot=2) as heir:
        with feeding() as events:
            until(lambda: len(heir.partitions) == PARTITIONS // 2, what="half of the partitions with each")
            frozen.send_signal(signal.SIGSTOP)
            until(lambda: len(heir.partitions) == PARTITIONS, what="all partitions with the heir")
            frozen.send_signal(signal.SIGCONT)
            until(lambda: len(heir.partitions) == PARTITIONS // 2, what="half of the partitions given back")
        all_done(events)
        assert frozen.poll() is None
