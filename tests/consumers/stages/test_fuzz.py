"""Ten thousand things that are no events, on each topic, with events among them."""

import os
import random
import struct
from collections.abc import Callable

import pytest

from audittrail import contracts
from audittrail.archive.object_storage import archive_storage
from audittrail.events.event import EnrichedEvent
from audittrail.models import AuditEvent
from consumers import conf
from consumers.dead_letters import wire_format
from consumers.kafka import schema_registry
from consumers.models import DeadLetter, Member
from consumers.records import Record, Rejection
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from testkit.audittrail.events import PROFILE, enriched_event
from testkit.consumers.running import positions, put, raw, running
from testkit.consumers.witness import committed
from testkit.waiting import until

pytestmark = pytest.mark.timeout(300)

NOISE, VALID = 10_000, 100

RawMessage = tuple[int, bytes | None, bytes | None, dict[str, bytes]]
"""Partition, key, value and headers."""


@pytest.fixture
def never_halting(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "0")
    monkeypatch.setenv("AUDIT_FETCH_BUFFER_KB", "65536")
    archive_storage.ensure_bucket()


def noise(chance: random.Random, value: bytes) -> bytes | None:
    """Something like an encoded event that is none."""
    kinds: list[Callable[[], bytes | None]] = [
        lambda: value[: chance.randrange(len(value))],
        lambda: b"\x01" + value[1:],
        lambda: struct.pack(">bI", 0, chance.choice([0, 2**31 - 1, 2**32 - 1])) + value[5:],
        lambda: value[:5] + chance.randbytes(chance.randrange(300)),
        lambda: value[:5] + b"\xff" * chance.randrange(1, 3000),
        lambda: value + b"more",
        lambda: value.replace(b"newsroom", b"news\xff\xfeom", 1),
        lambda: b"[" * 5_000,
        lambda: value[:5] + b"[" * 5_000,
        lambda: chance.randbytes(chance.randrange(100)),
        lambda: None,
    ]
    return chance.choice(kinds)()


def enriched(number: int, **values) -> EnrichedEvent:
    """A valid enriched event of article `number`."""
    extra = {"action": "edited", "actor_profile": PROFILE, "words_added": 1, "words_removed": 0}
    return enriched_event(**{**raw(number, **values), **extra})


def with_noise(values: list[bytes]) -> list[RawMessage]:
    """The values, each in the partition of its number, scattered among noise."""
    chance = random.Random(7)
    messages: list[RawMessage] = [
        (chance.randrange(3), None, noise(chance, chance.choice(values)), {"broken": b"\xff"}) for _ in range(NOISE)
    ]
    messages += [(0, None, os.urandom(900_000), {})] * 3
    for number, value in enumerate(values):
        messages.insert(chance.randrange(len(messages)), (number % 3, b"key", value, {}))
    return messages


def through(group: str, topic: str, count: int) -> None:
    until(
        lambda: sum(positions(conf.group(group), topic).values()) == count, seconds=200, what=f"{group} through {topic}"
    )


def test_noise_on_the_raw_topic(never_halting):
    events = [raw(number) for number in range(VALID)]
    messages = with_noise([schema_registry.codec(contracts.RAW).encode(event) for event in events])
    put(conf.raw_topic(), messages)
    with running(Enricher()):
        through("processor", conf.raw_topic(), len(messages))
    codec = schema_registry.codec(contracts.ENRICHED)
    found = [
        codec.decode(message.value(), schema_registry.schemas().by_id)["event_id"]
        for message in committed(conf.enriched_topic())
    ]
    assert sorted(found) == sorted(event["event_id"] for event in events)
    letters = [
        wire_format.decode(message.value(), schema_registry.schemas().by_id)
        for message in committed(conf.dead_letter_topic())
    ]
    assert len(letters) == NOISE + 3
    assert {letter["reason"] for letter in letters} >= {
        "truncated",
        "wrong_magic_byte",
        "unknown_schema_id",
        "invalid_utf8",
        "trailing_bytes",
    }


def test_noise_on_the_enriched_topic(never_halting):
    events = [enriched(number) for number in range(VALID)]
    messages = with_noise([schema_registry.codec(contracts.ENRICHED).encode(event) for event in events])
    put(conf.enriched_topic(), messages)
    with running(DatabaseSink()):
        through("database", conf.enriched_topic(), len(messages))
        until(lambda: DeadLetter.objects.count() == NOISE + 3, seconds=200, what="a row for each dead letter")
        assert Member.objects.get(stage="database").state == "running"
    assert set(AuditEvent.objects.values_list("event_id", flat=True)) == {event["event_id"] for event in events}


def test_noise_on_the_dead_letters(never_halting):
    writer = wire_format.Writer("enricher", schema_registry.schemas())
    rejected = [Record("raw", 0, offset, 0, None, {}, b"x") for offset in range(VALID)]
    letters = [writer.message(Rejection(record, "malformed", "newsroom")).value or b"" for record in rejected]
    wrong_type: list[RawMessage] = [
        (0, None, letter.replace(b'"detail":"', b'"detail":7,"more":"'), {}) for letter in letters
    ]
    put(conf.dead_letter_topic(), with_noise(letters) + wrong_type)
    with running(DatabaseSink()):
        until(
            lambda: DeadLetter.objects.count() == VALID + NOISE + 3 + len(wrong_type),
            seconds=200,
            what="a row for each, noise or not",
        )
        assert Member.objects.get(stage="database").state == "running"
    assert set(DeadLetter.objects.filter(stage="enricher").values_list("origin_offset", flat=True)) == set(range(VALID))
    reasons = set(DeadLetter.objects.filter(stage="database").values_list("reason", flat=True))
    assert reasons == {"truncated", "wrong_magic_byte", "unknown_schema_id", "malformed", "wrong_schema"}


def test_repeated_and_missing_sequences_harm_nothing(never_halting):
    events = [enriched(number, sequence=sequence) for number in range(20) for sequence in (2, 3, 5, 8)]
    codec = schema_registry.codec(contracts.ENRICHED)
    put(
        conf.enriched_topic(), [(0, b"key", codec.encode(event), {}) for event in [*events, *events, *reversed(events)]]
    )
    with running(DatabaseSink()):
        through("database", conf.enriched_topic(), 3 * len(events))
    assert AuditEvent.objects.count() == len(events)
    assert committed(conf.dead_letter_topic()) == []
