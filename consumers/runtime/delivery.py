"""How a batch is delivered: its messages written and its offsets committed, by one of two guarantees chosen at the
start.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import redis
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import clients
from consumers.kafka.error_codes import raise_if_evicted, raise_if_fenced
from consumers.kafka.protocols import GroupConsumer, ProducerClient
from consumers.kafka.transactions import Offsets, TransactionalProducer, collecting, produce_all
from consumers.records import Message, Partition, Record
from consumers.runtime import metrics
from consumers.runtime.batcher import Batch

log = logging.getLogger("consumers.runtime.delivery")

_Answer = TypeVar("_Answer")

Remaining = Callable[[], float]
"""Seconds a call to Kafka may take: the usual limit, or what a shutdown has left."""


class Delivery(Protocol):
    """A guarantee. Both raise NotReady (try the same batch again), Evicted and Fenced."""

    def ready(self) -> None:
        """Be able to deliver; settle what a predecessor left open, before which nobody can read on."""

    def fresh(self, records: list[Record]) -> list[Record]:
        """The records not known to be delivered already."""

    def deliver(self, batch: Batch, messages: list[Message]) -> None:
        """Write the messages and commit the batch's offsets."""


class ExactlyOnce:
    """Messages and offsets in one Kafka transaction, under a transactional.id that stays the same for each member.

    Where the fate of a transaction is not known, its producer's successor settles it, and the committed offsets then
    tell whether the batch was delivered.
    """

    def __init__(
        self, consumer: GroupConsumer, stage: str, make_producer: Callable[[], ProducerClient], remaining: Remaining
    ):
        self._consumer, self._stage, self._remaining = consumer, stage, remaining
        self._producer = TransactionalProducer(make_producer, remaining, on_doubt=self._doubt)
        self._in_doubt = False

    def ready(self) -> None:
        try:
            self._producer.initialise()
        except KafkaException as error:
            raise_if_fenced(error.args[0])
            raise NotReady(f"Kafka: no transactions yet: {error.args[0].str()}") from error

    def fresh(self, records: list[Record]) -> list[Record]:
        return records

    def deliver(self, batch: Batch, messages: list[Message]) -> None:
        if self._in_doubt and self._settled(batch):
            return
        if not messages:
            commit_offsets(self._consumer, batch)
            return
        try:
            self._producer.write(messages, Offsets(_positions(batch.ends()), self._consumer.consumer_group_metadata))
        except KafkaException as error:
            raise_if_evicted(error.args[0])
            raise_if_fenced(error.args[0])
            raise NotReady(f"Kafka: transaction not committed: {error.args[0].str()}") from error

    def _settled(self, batch: Batch) -> bool:
        """Whether the batch in doubt turned out to be committed; all of its partitions were, or none."""
        done = _is_committed(self._consumer, batch, self._remaining())
        self._in_doubt = False
        return done

    def _doubt(self) -> None:
        metrics.RECYCLED.labels(self._stage).inc()
        self._in_doubt = True


class AtLeastOnce:
    """No transactions: messages are written and acknowledged, marked, and then the offsets committed.

    What a crash between these steps repeats is dropped by its idempotency key: the event's id, marked in Redis per
    stage only after the sink's acknowledgement, so that a key never stands for something undelivered. A crash before
    the mark still repeats.
    """

    def __init__(
        self, consumer: GroupConsumer, producer: ProducerClient, keys: "IdempotencyKeys", remaining: Remaining
    ):
        self._consumer, self._producer, self._keys, self._remaining = consumer, producer, keys, remaining
        self._fresh: list[Record] = []
        """Of the batch processed last."""

    def ready(self) -> None:
        pass

    def fresh(self, records: list[Record]) -> list[Record]:
        self._fresh = self._keys.unmarked(records)
        return self._fresh

    def deliver(self, batch: Batch, messages: list[Message]) -> None:
        self._write(messages)
        # A rejected record has no mark, not even by a repeat in its batch: replayed, it comes again under the same key.
        fresh = {id(record) for record in self._fresh}
        self._keys.mark([record for record in batch.accepted() if id(record) in fresh])
        commit_offsets(self._consumer, batch)

    def _write(self, messages: list[Message]) -> None:
        failures: list[KafkaError] = []
        produce_all(self._producer, messages, collecting(failures))
        left = self._producer.flush(self._remaining())
        if left:
            self._producer.purge()
        if left or failures:
            raise NotReady(
                f"Kafka: {left + len(failures)} of {len(messages)} messages not written"
                + (f": {failures[0].str()}" if failures else "")
            )


class IdempotencyKeys(Protocol):
    """Idempotency keys of delivered records. Raises NotReady."""

    def unmarked(self, records: list[Record]) -> list[Record]: ...

    def mark(self, records: list[Record]) -> None: ...


class RedisKeys:
    """Keys in Redis; they live longer than the topics keep what they stand for."""

    def __init__(self, prefix: str):
        self._prefix = f"{prefix}:".encode()
        self._redis = redis.Redis.from_url(conf.redis_url(), socket_timeout=2, socket_connect_timeout=1)

    def unmarked(self, records: list[Record]) -> list[Record]:
        """Records without a mark, the first of each key."""
        first = {self._key(record): record for record in reversed(records)}
        marks = self._ask(lambda: self._redis.mget(list(first)))
        fresh = {id(record) for record, mark in zip(first.values(), marks, strict=True) if mark is None}
        return [record for record in records if id(record) in fresh]

    def mark(self, records: list[Record]) -> None:
        def write() -> None:
            with self._redis.pipeline(transaction=False) as pipeline:
                for record in records:
                    pipeline.set(self._key(record), b"", ex=conf.deduplication_seconds())
                pipeline.execute()

        self._ask(write)

    def _key(self, record: Record) -> bytes:
        """The event's id, or where it has none, its place in the log."""
        identity = record.headers.get("ce_id") or f"{record.topic}/{record.partition}/{record.offset}".encode()
        return self._prefix + identity

    @staticmethod
    def _ask(question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except redis.RedisError as error:
            raise NotReady(f"Redis: {error}") from error


class NoKeys:
    """Nothing is remembered: repeats go through."""

    def unmarked(self, records: list[Record]) -> list[Record]:
        return records

    def mark(self, records: list[Record]) -> None:
        pass


def make_delivery(consumer: GroupConsumer, stage: str, member: str, remaining: Remaining) -> Delivery:
    """The delivery the settings ask for."""
    if conf.delivery() == conf.EXACTLY_ONCE:
        make_producer = partial(clients.transactional_producer, conf.transactional_id(member))
        return ExactlyOnce(consumer, stage, make_producer, remaining)
    keys = RedisKeys(f"{conf.prefix()}audit-delivered:{stage}") if conf.deduplication() == "on" else NoKeys()
    return AtLeastOnce(consumer, clients.producer(), keys, remaining)


def commit_offsets(consumer: GroupConsumer, batch: Batch) -> None:
    """Commit a processed batch's offsets outside a transaction, without waiting: a commit that waits does so for as
    long as Kafka is away.

    One that is lost is made good by the next, or by reading again what is known already. Raises Fenced.
    """
    try:
        consumer.commit(offsets=_positions(batch.ends()), asynchronous=True)
    except KafkaException as error:
        raise_if_fenced(error.args[0])
        log.warning("offsets not committed: %s", error.args[0].str())


def _is_committed(consumer: GroupConsumer, batch: Batch, timeout: float) -> bool:
    ends = batch.ends()
    try:
        committed = consumer.committed([TopicPartition(*partition) for partition in ends], timeout=timeout)
    except KafkaException as error:
        raise NotReady(f"Kafka: committed offsets not known: {error.args[0].str()}") from error
    return all(position.offset >= ends[Partition(position.topic, position.partition)] for position in committed)


def _positions(offsets: dict[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
