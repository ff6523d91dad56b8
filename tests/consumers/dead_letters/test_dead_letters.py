"""Dead letters keep what they stand for, and go back where they came from."""

import base64
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import orjson
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from audittrail import contracts
from audittrail.archive.object_storage import archive_storage
from audittrail.contracts.codec import UndecodableEvent
from audittrail.models import AuditEvent
from consumers import conf
from consumers.dead_letters import wire_format
from consumers.dead_letters.replay import REPLAYED_FROM, original, replay
from consumers.kafka.schema_registry import Schemas
from consumers.messages.authenticity import keyring
from consumers.models import DeadLetter
from consumers.records import Message, Record, Rejection
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from testkit.consumers.running import put, raw, running
from testkit.consumers.witness import committed
from testkit.waiting import until


class Registered(Schemas):
    """A registry of one schema."""

    def __init__(self) -> None:
        pass

    def id_of(self, contract: str, version: int) -> int:
        assert contract == contracts.DEAD_LETTERS
        return 7

    def by_id(self, schema_id: int) -> dict:
        return {7: contracts.schema(contracts.DEAD_LETTERS, 1)}[schema_id]


decode = partial(wire_format.decode, schema_of_id=Registered().by_id)


RECORDS = st.builds(
    Record,
    topic=st.just("topic"),
    partition=st.integers(0, 100),
    offset=st.integers(0, 2**40),
    timestamp_ms=st.integers(-1, 4_000_000_000_000),
    key=st.none() | st.binary(max_size=50),
    headers=st.dictionaries(st.text(max_size=10), st.none() | st.binary(max_size=20), max_size=3),
    value=st.none() | st.binary(max_size=200),
)


@given(record=RECORDS, detail=st.text(max_size=50))
def test_a_dead_letter_says_all_of_its_message(record, detail):
    message = wire_format.Writer("enricher", Registered()).message(Rejection(record, "malformed", detail, "a:1", 3))
    letter = decode(message.value)
    assert (letter["key"], letter["value"], letter["reason"], letter["detail"]) == (
        record.key,
        record.value,
        "malformed",
        detail,
    )
    assert (letter["origin"]["partition"], letter["origin"]["offset"]) == (record.partition, record.offset)
    row = DeadLetter(
        **{name: letter[name] for name in ("key", "value", "headers")},
        origin_topic="topic",
        origin_partition=1,
        id=uuid4(),
    )
    again = original(row)
    assert (again.key, again.value) == (record.key, record.value)
    assert again.headers == record.headers | {REPLAYED_FROM: str(row.id).encode()}


@given(record=RECORDS)
def test_the_same_failure_has_the_same_identity(record):
    assert wire_format.identity("enricher", record) == wire_format.identity("enricher", record)
    assert wire_format.identity("enricher", record) != wire_format.identity("search", record)


def letter(**values) -> bytes:
    content = {
        "dead_letter_id": str(uuid4()),
        "stage": "enricher",
        "reason": "malformed",
        "detail": "",
        "origin": {"topic": "t", "partition": 0, "offset": 0},
        "failed_at": "2026-11-23T08:00:00Z",
    }
    return b"\x00\x00\x00\x00\x07" + orjson.dumps(content | values)


def test_reads_a_dead_letter_with_the_least_it_can_have():
    assert decode(letter())["headers"] == {}


def test_what_a_later_version_added_is_left_out():
    assert "severity" not in decode(letter(severity="high"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "truncated"),
        (b"\x01\x00\x00\x00\x07{}", "wrong_magic_byte"),
        (b"\x00\x00\x00\x00\x08{}", "unknown_schema_id"),
        (b"\x00\x00\x00\x00\x07{", "malformed"),
        (b"\x00\x00\x00\x00\x07" + b"[" * 100_000, "malformed"),
        (b"\x00\x00\x00\x00\x07[]", "wrong_schema"),
        (letter(reason="No Code"), "wrong_schema"),
        (letter(value="%%%"), "malformed"),
        (letter(origin={"topic": "t", "partition": 0, "offset": 0, "timestamp": 2**62}), "malformed"),
    ],
)
def test_what_is_no_dead_letter_says_why(value, reason):
    with pytest.raises(UndecodableEvent) as refused:
        decode(value)
    assert refused.value.reason == reason


def kept(**values) -> DeadLetter:
    """A dead letter of a raw message, in the database."""
    values = {
        "stage": "enricher",
        "reason": "malformed",
        "detail": "",
        "value": b"x",
        "origin_offset": 0,
        "failed_at": datetime.now(UTC),
    } | values
    return DeadLetter.objects.using("pipeline").create(
        id=uuid4(), origin_topic=conf.raw_topic(), origin_partition=3, **values
    )


def waiting(**wanted) -> list[UUID]:
    return list(DeadLetter.objects.filter(**wanted).replayable().values_list("pk", flat=True))


def test_replay_puts_the_message_back_and_marks_it(own_trail):
    first = kept(key=b"k", headers={"a": "Yg=="})
    assert replay(waiting()).done == [first.id]
    (message,) = committed(conf.raw_topic())
    assert (message.partition(), message.key(), message.value()) == (3, b"k", b"x")
    assert dict(message.headers()) == {"a": b"b", REPLAYED_FROM: str(first.id).encode()}
    assert replay(waiting()).done == [] and len(committed(conf.raw_topic())) == 1


def test_replay_keeps_the_order_of_the_article(own_trail):
    wanted = [kept(reason="away", article_id="a:1", sequence=n) for n in (3, 1, 2)]
    kept(reason="other")
    found = replay(waiting(reason="away")[:2])
    assert found.done == [wanted[1].id, wanted[2].id]


def test_replay_fetches_a_large_value_and_skips_what_is_lost(own_trail):
    archive_storage.ensure_bucket()
    from consumers.messages import large_payloads

    there, lost = (
        kept(value=None, payload=large_payloads.store(b"large" * 1000)),
        kept(value=None, payload={"sha256": "00" * 32, "size": 5}),
    )
    result = replay(waiting())
    assert result.done == [there.id] and "not in bucket" in result.skipped[lost.id]
    assert [message.value() for message in committed(conf.raw_topic())] == [b"large" * 1000]


def test_what_a_sink_rejected_is_not_put_back(own_trail):
    DeadLetter.objects.using("pipeline").filter(pk=kept(stage="search").pk).update(origin_topic=conf.enriched_topic())
    assert waiting() == []


def test_the_command_says_what_it_would_do(own_trail, capsys):
    kept()
    call_command("replay_dead_letters", "--dry-run")
    assert "malformed" in capsys.readouterr().out
    assert committed(conf.raw_topic()) == []
    with pytest.raises(CommandError, match="--limit 0"):
        call_command("replay_dead_letters", "--limit", "0")


def test_a_dead_letter_replayed_after_the_cause_is_mended_reaches_its_place(own_trail):
    """The registry did not know a schema; now it does."""
    from consumers.kafka import schema_registry

    event = raw(1)
    value = schema_registry.codec(contracts.RAW).encode(event)
    put(conf.raw_topic(), [(1, b"k", b"\x00\x7f\x00\x00\x01" + value[5:], {})])
    with running(Enricher()), running(DatabaseSink()):
        found = until(DeadLetter.objects.first, what="a dead letter")
        mended = Message(conf.raw_topic(), 1, b"k", value)
        keyring().sign(mended)
        headers = {name: base64.b64encode(text or b"").decode() for name, text in mended.headers.items()}
        DeadLetter.objects.using("pipeline").update(value=value, headers=headers)
        replay(waiting())
        until(lambda: AuditEvent.objects.filter(event_id=event["event_id"]).exists(), what="the replayed event's row")
    assert found.reason == "unknown_schema_id" and isinstance(found.id, UUID)
