"""The runtime on real Kafka: what goes in comes out once, whatever happens in between."""

import os
import subprocess
import sys

import pytest

from audittrail import contracts
from audittrail.archive.object_storage import archive_storage
from audittrail.events.event import EnrichedEvent, Event
from audittrail.models import ActorVersion, AuditEvent
from consumers import conf
from consumers.dead_letters import wire_format
from consumers.kafka import schema_registry
from consumers.models import DeadLetter, DesiredState, Member, StageControl
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from consumers.supervision import control
from testkit.consumers.running import positions, process, put, put_events, raw, running
from testkit.consumers.trail import PARTITIONS
from testkit.consumers.witness import committed
from testkit.paths import ROOT
from testkit.waiting import until


def enriched() -> list[EnrichedEvent]:
    codec = schema_registry.codec(contracts.ENRICHED)
    return [
        codec.decode(message.value(), schema_registry.schemas().by_id) for message in committed(conf.enriched_topic())
    ]


def enriched_ids() -> list[str]:
    return sorted(str(event["event_id"]) for event in enriched())


def ids(events: list[Event]) -> list[str]:
    return sorted(str(event["event_id"]) for event in events)


def dead_letters() -> list[wire_format.Letter]:
    return [
        wire_format.decode(message.value(), schema_registry.schemas().by_id)
        for message in committed(conf.dead_letter_topic())
    ]


def done(count: int) -> None:
    """The group has committed `count` raw messages."""
    until(
        lambda: sum(positions(conf.group("processor"), conf.raw_topic()).values()) == count,
        what=f"{count} messages committed",
    )


def reported(state: str, stage: str = "enricher", slot: int = 1) -> Member:
    return until(lambda: Member.objects.filter(stage=stage, slot=slot, state=state).first(), what=f"{stage} {state}")


def wanted(state: str, stage: str = "enricher") -> None:
    StageControl.objects.update_or_create(stage=stage, defaults={"desired_state": state})


def test_enriches_each_event_once_at_its_partition(own_trail):
    events = [raw(number) for number in range(40)]
    put_events(events)
    with running(Enricher()):
        done(40)
    assert enriched_ids() == ids(events)
    found = committed(conf.enriched_topic())
    assert all(message.partition() == int(message.key().decode().rpartition(":")[2]) % PARTITIONS for message in found)
    assert all(dict(message.headers())["traceparent"] == b"00-1-2-01" for message in found)


def test_from_the_raw_topic_to_rows(own_trail):
    events = [raw(number) for number in range(40)]
    put_events(events)
    put(conf.raw_topic(), [(0, None, b"no event", {})])
    with running(Enricher()), running(DatabaseSink()):
        until(
            lambda: AuditEvent.objects.count() == 40 and DeadLetter.objects.count() == 1,
            what="40 rows and a dead letter",
        )
    assert {str(row.event_id) for row in AuditEvent.objects.all()} == set(ids(events))
    assert DeadLetter.objects.get().reason == "wrong_magic_byte"


def test_what_cannot_be_processed_goes_to_the_dead_letters_and_the_rest_goes_on(own_trail):
    archive_storage.ensure_bucket()
    good = [raw(0), raw(8)]
    put_events(good[:1])
    large = os.urandom(1_000_000)
    put(
        conf.raw_topic(),
        [
            (0, b"k", b"\x01bad", {"a": b"b"}),
            (0, None, None, {}),
            (0, None, b"\x00\x7f\xff\xff\xffx", {}),
            (0, None, b"\x01" + large, {}),
        ],
    )
    put_events(good[1:])
    with running(Enricher()):
        done(6)
    assert enriched_ids() == ids(good)
    letters = {letter["origin"]["offset"]: letter for letter in dead_letters()}
    assert {offset: letter["reason"] for offset, letter in letters.items()} == {
        1: "truncated",
        2: "truncated",
        3: "unknown_schema_id",
        4: "wrong_magic_byte",
    }
    assert (letters[1]["key"], letters[1]["value"], letters[1]["headers"]["a"]) == (b"k", b"\x01bad", "Yg==")
    assert letters[4]["value"] is None and letters[4]["payload"]
    assert letters[4]["payload"]["size"] == 1_000_001


@pytest.mark.parametrize("point", ["produced", "sent", "committed"])
def test_a_crash_in_mid_transaction_doubles_and_loses_nothing(own_trail, monkeypatch, point):
    monkeypatch.setenv("AUDIT_BATCH_RECORDS", "20")
    events = [raw(number) for number in range(100)]
    put_events(events)
    crash = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "testkit.consumers.crashing", point], cwd=ROOT, timeout=60
    )
    assert crash.returncode == -9
    with running(Enricher()):
        done(100)
    assert enriched_ids() == ids(events)


def test_waits_for_a_missing_version_of_an_author_and_stays_a_member(own_trail):
    event = raw(1, actor={"type": "user", "id": "newsroom.author:7", "version": 2, "snapshot": None})
    put_events([event])
    with running(Enricher()):
        member = reported("waiting")
        assert "version 2 of newsroom.author:7" in member.reason
        assert len(member.partitions) == PARTITIONS
        profile = {"name": "Kim", "byline": "By Kim", "role": "editor", "desk": "city"}
        ActorVersion.objects.using("owner").create(
            actor_id="newsroom.author:7", version=2, recorded_at=event["recorded_at"], **profile
        )
        done(1)
        reported("running")
    assert [each["actor_profile"] for each in enriched()] == [profile]


def test_pauses_resumes_and_stops_as_wanted(own_trail):
    wanted(DesiredState.PAUSED)
    put_events([raw(1)])
    with running(Enricher()) as loop:
        until(lambda: len(reported("paused").partitions) == PARTITIONS, what="a paused member with its partitions")
        assert enriched() == []
        wanted(DesiredState.RUNNING)
        done(1)
        wanted(DesiredState.STOPPED)
        reported("stopped")
    assert loop.failures == []


def test_a_partition_of_which_all_fails_halts_until_it_is_released(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "10")
    wanted(DesiredState.RUNNING)
    put(conf.raw_topic(), [(0, None, b"bad", {})] * 12)
    with running(Enricher()):
        member = reported("halted")
        (halt,) = member.halts
        assert "wrong_magic_byte" in halt["reason"] or "truncated" in halt["reason"]
        assert len(member.partitions) == PARTITIONS and dead_letters() == []
        put(conf.raw_topic(), [(1, None, b"bad", {})])
        until(lambda: len(dead_letters()) == 1, what="what another partition has")
        control.release("enricher", None, halt["topic"], halt["partition"], halt["last_offset"])
        done(13)
    assert len(dead_letters()) == 13


def test_a_second_member_takes_over_only_what_must_move(own_trail):
    events = [raw(number) for number in range(200)]
    with running(Enricher()) as first:
        until(lambda: len(first.partitions) == PARTITIONS, what="all partitions with the first member")
        put_events(events[:100])
        with running(Enricher(), slot=2) as second:
            until(
                lambda: len(second.partitions) == PARTITIONS // 2, what="half of the partitions with the second member"
            )
            assert len(first.partitions) == PARTITIONS // 2 and not first.partitions & second.partitions
            put_events(events[100:])
            done(200)
    assert enriched_ids() == ids(events)


@pytest.mark.parametrize(("deduplication", "copies"), [("on", 1), ("off", 2)])
def test_at_least_once_drops_repeats_by_their_keys(own_trail, monkeypatch, deduplication, copies):
    monkeypatch.setenv("AUDIT_DELIVERY", "at_least_once")
    monkeypatch.setenv("AUDIT_DEDUPLICATION", deduplication)
    events = [raw(number) for number in range(20)]
    put_events(events)
    put_events(events)
    with running(Enricher()):
        done(40)
    assert enriched_ids() == sorted(ids(events) * copies)


def test_a_process_ends_well_on_sigterm(own_trail):
    with process("enricher") as child:
        reported("running")
        child.terminate()
        assert child.wait(20) == 0
    assert reported("stopped")
