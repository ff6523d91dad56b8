"""Whoever reaches Kafka cannot write the trail: what is not signed is refused, and takes no event's number."""

from dataclasses import replace

import pytest

from audittrail import contracts
from audittrail.models import AuditEvent
from consumers import conf
from consumers.kafka import schema_registry
from consumers.messages.authenticity import Keyring, keyring
from consumers.models import DeadLetter, Member
from consumers.records import Message
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from testkit.audittrail.events import PROFILE, enriched_event
from testkit.consumers.running import put_as_they_are, raw, running
from testkit.consumers.witness import committed
from testkit.waiting import until

ARTICLE = b"newsroom.article:1"


def raw_message(sequence: int) -> Message:
    event = raw(1, sequence=sequence)
    value = schema_registry.codec(contracts.RAW).encode(event)
    return signed(Message(conf.raw_topic(), 1, ARTICLE, value, {"ce_id": str(event["event_id"]).encode()}))


def enriched_message(sequence: int) -> Message:
    extra = {"action": "edited", "actor_profile": PROFILE, "words_added": 1, "words_removed": 0}
    event = enriched_event(**{**raw(1, sequence=sequence), **extra})
    value = schema_registry.codec(contracts.ENRICHED).encode(event)
    return signed(Message(conf.enriched_topic(), 1, ARTICLE, value, {"ce_id": str(event["event_id"]).encode()}))


def signed(message: Message) -> Message:
    keyring().sign(message)
    return message


def forgeries(message: Message, other: Message) -> list[Message]:
    """The message without its signature, renumbered, under another article's key, and with a guessed signature."""
    return [
        replace(message, headers={}),
        replace(message, headers=other.headers),
        replace(other, key=b"newsroom.article:2"),
        replace(message, headers=message.headers | {"audit_mac": b"local:" + b"0" * 32}),
    ]


def test_the_enricher_refuses_what_is_forged(own_trail):
    true = raw_message(2)
    put_as_they_are([*forgeries(raw_message(2), raw_message(1)), true])
    with running(Enricher()):
        (message,) = until(lambda: committed(conf.enriched_topic()), what="the true event")
        until(lambda: len(committed(conf.dead_letter_topic())) == 4, what="four dead letters")
    assert true.value and message.value()[5:].startswith(true.value[5:])


def test_a_sink_refuses_what_is_forged_and_the_number_stays_free(own_trail):
    first, second = enriched_message(7), enriched_message(8)
    put_as_they_are([first, *forgeries(enriched_message(8), first), second])
    with running(DatabaseSink()):
        until(lambda: DeadLetter.objects.count() == 4, what="a row for each dead letter")
    stored = AuditEvent.objects.order_by("sequence").values_list("sequence", "event_id")
    assert [(number, str(event).encode()) for number, event in stored] == [
        (7, first.headers["ce_id"]),
        (8, second.headers["ce_id"]),
    ]
    assert set(DeadLetter.objects.values_list("stage", "reason", "article_id")) == {("database", "not_authentic", None)}


def test_a_key_that_is_missing_halts_the_partition_and_loses_nothing(own_trail, monkeypatch):
    newer = raw_message(1)
    Keyring({"newer": "n" * 32}).sign(newer)
    put_as_they_are([newer])
    with running(Enricher()):
        halted = until(lambda: Member.objects.filter(state="halted").first(), what="a halted partition")
    assert "signed with key 'newer', which AUDIT_MESSAGE_KEYS lacks" in halted.halts[0]["reason"]
    assert committed(conf.dead_letter_topic()) == []

    monkeypatch.setenv("AUDIT_MESSAGE_KEYS", f"own:{'o' * 32},newer:{'n' * 32}")
    with running(Enricher()):
        until(lambda: committed(conf.enriched_topic()), what="the event")


def test_a_forged_message_does_not_use_up_the_identity_of_the_true_one(own_trail, monkeypatch):
    monkeypatch.setenv("AUDIT_DELIVERY", conf.AT_LEAST_ONCE)
    true = raw_message(2)
    put_as_they_are([replace(true, value=raw_message(2).value), true])
    with running(Enricher()):
        (message,) = until(lambda: committed(conf.enriched_topic()), what="the true event")
    assert true.value and message.value()[5:].startswith(true.value[5:])


@pytest.mark.parametrize(("setting", "topic"), [("yes", conf.enriched_topic), ("no", conf.dead_letter_topic)])
def test_messages_of_before_there_were_signatures_are_taken_where_that_is_set(own_trail, monkeypatch, setting, topic):
    monkeypatch.setenv("AUDIT_ACCEPT_UNSIGNED", setting)
    put_as_they_are([replace(raw_message(1), headers={})])
    with running(Enricher()):
        until(lambda: committed(topic()), what="the message")
