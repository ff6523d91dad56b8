"""Dead letters put back where they came from, once what was wrong has been put right."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from confluent_kafka import KafkaException, Producer
from django.db import transaction
from django.utils import timezone

from audittrail.archive.large_payloads import PayloadError
from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import clients
from consumers.kafka.transactions import TransactionalProducer
from consumers.messages import large_payloads
from consumers.models import DeadLetter
from consumers.records import Message

DATABASE = "pipeline"
CALL_SECONDS = 15.0
AT_ONCE = 200
REPLAYED_FROM = "audit_replayed_from"
"""Header of a replayed message: the dead letter it was."""


@dataclass
class Replayed:
    """Letters put back, and why others were not."""

    done: list[UUID] = field(default_factory=list)
    skipped: dict[UUID, str] = field(default_factory=dict)


def replay(ids: Iterable[UUID]) -> Replayed:
    """Put letters back in Kafka transactions of up to a few hundred, in the order given, and mark them.

    A crash between Kafka's commit and the mark writes a message again when run again: the sinks keep each article's
    sequence once, so nothing is doubled at rest. Raises NotReady; what was put back by then is marked.
    """
    result, ids = Replayed(), list(ids)
    for start in range(0, len(ids), AT_ONCE):
        _replay_some(ids[start : start + AT_ONCE], result)
    return result


def original(letter: DeadLetter) -> Message:
    """The message as it was read, with a header that says where it was since. Raises NotReady, PayloadError."""
    headers = {name: None if text is None else base64.b64decode(text) for name, text in letter.headers.items()}
    value = large_payloads.fetch(letter.payload) if letter.payload else letter.value
    return Message(
        letter.origin_topic,
        letter.origin_partition,
        None if letter.key is None else bytes(letter.key),
        None if value is None else bytes(value),
        headers | {REPLAYED_FROM: str(letter.pk).encode()},
    )


def _replay_some(ids: list[UUID], result: Replayed) -> None:
    # The rows stay locked until they are marked: a second replay passes over them.
    with transaction.atomic(using=DATABASE):
        locked = DeadLetter.objects.using(DATABASE).replayable().select_for_update(skip_locked=True).in_bulk(ids)
        messages: dict[UUID, Message] = {}
        for letter in (locked[key] for key in ids if key in locked):
            try:
                messages[letter.pk] = original(letter)
            except PayloadError as error:
                result.skipped[letter.pk] = str(error)
        _write(list(messages.values()))
        DeadLetter.objects.using(DATABASE).filter(pk__in=messages).update(replayed_at=timezone.now())
    result.done += messages


def _write(messages: list[Message]) -> None:
    """All in one transaction. Of two replays at the same time the later fences the earlier, which then says so."""
    if not messages:
        return
    producer = TransactionalProducer(_client, lambda: CALL_SECONDS)
    try:
        producer.write(messages)
    except KafkaException as error:
        raise NotReady(f"Kafka: dead letters not written: {error.args[0].str()}") from error
    finally:
        producer.close()


def _client() -> Producer:
    return clients.transactional_producer(conf.transactional_id("dead-letter-replay"))
