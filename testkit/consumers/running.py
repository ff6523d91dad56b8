"""Stages run in threads or processes, and raw events to feed them with."""

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from audittrail import contracts
from audittrail.events.event import Event
from consumers import conf
from consumers.kafka import schema_registry
from consumers.kafka.transactions import collecting, produce_all
from consumers.messages.authenticity import keyring
from consumers.records import Message, Partition
from consumers.runtime.loop import Loop
from consumers.runtime.process import make_loop
from consumers.runtime.stage import Stage
from testkit.audittrail.events import PROFILE, raw_event
from testkit.paths import ROOT
from testkit.waiting import until

SECONDS = 30
MOVING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE)
"""What a coordinator says that moves: Kafka balances its leaders every five minutes."""


class RunningLoop:
    """A stage's loop in a thread; what ended it early is in `failures`."""

    def __init__(self, loop: Loop):
        self.loop = loop
        self.failures: list[Exception] = []

    @property
    def partitions(self) -> frozenset[Partition]:
        return self.loop.partitions

    @property
    def waits_for(self) -> str:
        return self.loop.waits_for

    def work(self) -> None:
        try:
            self.loop.run()
        except Exception as error:
            self.failures.append(error)


@contextmanager
def running(stage: Stage, slot: int = 1) -> Iterator[RunningLoop]:
    """The stage's loop, in a thread until the block ends."""
    loop = RunningLoop(make_loop(stage, slot))
    thread = threading.Thread(target=loop.work)
    thread.start()
    try:
        yield loop
    finally:
        loop.loop.stop()
        thread.join(SECONDS)
        assert not thread.is_alive(), "the loop did not stop"


@contextmanager
def process(name: str, slot: int = 1, **environment: str) -> Iterator[subprocess.Popen]:
    """`run_consumer NAME` as a process of its own; killed at the end if it still runs."""
    command = [sys.executable, "-W", "ignore", "manage.py", "run_consumer", name, "--slot", str(slot)]
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def raw(number: int = 42, **values) -> Event:
    """A valid raw event of article `number`, by an actor who sent a snapshot along."""
    actor = {"type": "user", "id": "17", "version": None, "snapshot": PROFILE}
    identity = {"event_id": uuid.uuid4(), "article_id": f"newsroom.article:{number}", "actor": actor}
    return raw_event(**identity | values)


def put_events(events: Iterable[Event]) -> None:
    """Raw events into the raw topic, article n into partition n modulo partitions."""
    codec = schema_registry.codec(contracts.RAW)
    put(
        conf.raw_topic(),
        [
            (
                int(event["article_id"].rpartition(":")[2]) % conf.partitions(),
                event["article_id"].encode(),
                codec.encode(event),
                _headers(event),
            )
            for event in events
        ],
    )


def _headers(event: Event) -> dict[str, bytes]:
    return {"ce_id": str(event["event_id"]).encode(), "traceparent": b"00-1-2-01"}


def put(topic: str, messages: Sequence[tuple[int, bytes | None, bytes | None, dict[str, bytes]]]) -> None:
    """Write (partition, key, value, headers) to a topic, signed, and wait until that is acknowledged."""
    keys = keyring()
    signed = [Message(topic, partition, key, value, {**headers}) for partition, key, value, headers in messages]
    for message in signed:
        keys.sign(message)
    put_as_they_are(signed)


def put_as_they_are(messages: Iterable[Message]) -> None:
    """Write messages, and wait until that is acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": conf.kafka_bootstrap_servers(),
            "enable.idempotence": True,
            "message.max.bytes": 1_040_000,
        }
    )
    failures: list[KafkaError] = []
    produce_all(producer, messages, collecting(failures))
    assert (producer.flush(SECONDS), failures) == (0, [])


def positions(group: str, topic: str) -> dict[int, int]:
    """The group's committed offsets, where there are any."""
    reader = Consumer(
        {"bootstrap.servers": conf.kafka_bootstrap_servers(), "group.id": group, "isolation.level": "read_committed"}
    )

    found = committed(reader, [TopicPartition(topic, number) for number in range(conf.partitions())])
    reader.close()
    return found


def committed(reader: Consumer, partitions: list[TopicPartition]) -> dict[int, int]:
    """The offsets that the reader's group has committed, where there are any; also while its coordinator moves."""

    def answer() -> list[TopicPartition] | None:
        try:
            return reader.committed(partitions, timeout=SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in MOVING:
                raise
            return None

    found = until(answer, what="the committed offsets")
    return {each.partition: each.offset for each in found if each.offset >= 0}
