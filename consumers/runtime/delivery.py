"""How a batch is delivered: its messages written and its offsets committed, by one of two guarantees chosen at the
start.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumers import conf
from consumers.errors import Fenced, NotReady
from consumers.kafka import clients
from consumers.kafka.call_watchdog import enforced
from consumers.records import Message, Partition, Record
from consumers.runtime import metrics
from consumers.runtime.batcher import Batch

log = logging.getLogger("consumers.runtime.delivery")

# The group went on without this member: what it holds is void, but it may join again.
_EVICTIONS = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.MEMBER_ID_REQUIRED,
    KafkaError._ASSIGNMENT_LOST,
}
# Another process has this member's name or its transactional.id.
_TAKEN_OVER = {
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError._FENCED,
    KafkaError._FATAL,
}

Remaining = Callable[[], float]
"""Seconds a call to Kafka may take: the usual limit, or what a shutdown has left."""


class Evicted(Exception):
    """The group has moved on without this member: the batch is dropped, and read again by whoever holds it."""


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

    After a call whose fate is not known, a late reply could still hit the next transaction: the producer is replaced,
    which settles what was pending, and the committed offsets then tell whether the batch was delivered.
    """

    def __init__(self, consumer: Consumer, stage: str, transactional_id: str, remaining: Remaining):
        self._consumer, self._stage, self._id, self._remaining = consumer, stage, transactional_id, remaining
        self._producer: Producer | None = None
        self._in_doubt = False

    def ready(self) -> None:
        if self._producer is None:
            producer = clients.transactional_producer(self._id)
            try:
                producer.init_transactions(self._remaining())
            except KafkaException as error:
                demand_not_taken_over(error.args[0])
                raise NotReady(f"Kafka: no transactions yet: {error.args[0].str()}") from error
            self._producer = producer

    def fresh(self, records: list[Record]) -> list[Record]:
        return records

    def deliver(self, batch: Batch, messages: list[Message]) -> None:
        if self._in_doubt and self._settled(batch):
            return None
        if not messages:
            return commit(self._consumer, batch)
        try:
            self._transact(self._producer, batch, messages)
        except KafkaException as error:
            self._failed(self._producer, error.args[0])

    def _transact(self, producer: Producer, batch: Batch, messages: list[Message]) -> None:
        producer.begin_transaction()
        for message in messages:
            _produce(producer, message)
        # With nothing left in flight an abort, as after an eviction, costs no new epoch.
        producer.flush(self._remaining())
        # The group's metadata change with each rebalance: they are asked for anew each time.
        metadata = self._consumer.consumer_group_metadata()
        with enforced(self._remaining(), "send_offsets_to_transaction"):
            producer.send_offsets_to_transaction(_positions(batch.ends()), metadata, self._remaining())
        with enforced(self._remaining(), "commit_transaction"):
            producer.commit_transaction(self._remaining())

    def _settled(self, batch: Batch) -> bool:
        """Whether the batch in doubt turned out to be committed; all of its partitions were, or none."""
        done = _is_committed(self._consumer, batch, self._remaining())
        self._in_doubt = False
        return done

    def _failed(self, producer: Producer, error: KafkaError) -> None:
        if error.txn_requires_abort():
            self._abort(producer)
        else:
            self._recycle()
        if error.code() in _EVICTIONS:
            raise Evicted(error.str())
        demand_not_taken_over(error)
        raise NotReady(f"Kafka: transaction not committed: {error.str()}")

    def _abort(self, producer: Producer) -> None:
        try:
            producer.abort_transaction(self._remaining())
        except KafkaException:
            self._recycle()

    def _recycle(self) -> None:
        metrics.RECYCLED.labels(self._stage).inc()
        self._producer, self._in_doubt = None, True


class AtLeastOnce:
    """No transactions: messages are written and acknowledged, marked, and then the offsets committed.

    What a crash between these steps repeats is dropped by its idempotency key: the event's id, marked in Redis per
    stage only after the sink's acknowledgement, so that a key never stands for something undelivered. A crash before
    the mark still repeats.
    """

    def __init__(self, consumer: Consumer, stage: str, keys: "Keys", remaining: Remaining):
        self._consumer, self._stage, self._keys, self._remaining = consumer, stage, keys, remaining
        self._producer = clients.producer()

    def ready(self) -> None:
        pass

    def fresh(self, records: list[Record]) -> list[Record]:
        return self._keys.unmarked(records)

    def deliver(self, batch: Batch, messages: list[Message]) -> None:
        self._write(messages)
        # A rejected record has no mark: replayed, it comes again under the same key.
        self._keys.mark(batch.accepted())
        commit(self._consumer, batch)

    def _write(self, messages: list[Message]) -> None:
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message) -> None:
            if error is not None:
                failures.append(error)

        for message in messages:
            _produce(self._producer, message, on_delivery=delivered)
        left = self._producer.flush(self._remaining())
        if left:
            self._producer.purge()
        if left or failures:
            raise NotReady(
                f"Kafka: {left + len(failures)} of {len(messages)} messages not written"
                + (f": {failures[0].str()}" if failures else "")
            )


class Keys(Protocol):
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
    def _ask(question: Callable):
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


def chosen(consumer: Consumer, stage: str, member: str, remaining: Remaining) -> Delivery:
    """The delivery the settings ask for."""
    if conf.delivery() == conf.EXACTLY_ONCE:
        return ExactlyOnce(consumer, stage, conf.transactional_id(member), remaining)
    keys = RedisKeys(f"{conf.prefix()}audit-delivered:{stage}") if conf.deduplication() == "on" else NoKeys()
    return AtLeastOnce(consumer, stage, keys, remaining)


def commit(consumer: Consumer, batch: Batch) -> None:
    """Commit a processed batch's offsets outside a transaction, without waiting: a commit that waits does so for as
    long as Kafka is away.

    One that is lost is made good by the next, or by reading again what is known already. Raises Fenced.
    """
    try:
        consumer.commit(offsets=_positions(batch.ends()), asynchronous=True)
    except KafkaException as error:
        demand_not_taken_over(error.args[0])
        log.warning("offsets not committed: %s", error.args[0].str())


def _is_committed(consumer: Consumer, batch: Batch, timeout: float) -> bool:
    ends = batch.ends()
    try:
        committed = consumer.committed([TopicPartition(*partition) for partition in ends], timeout=timeout)
    except KafkaException as error:
        raise NotReady(f"Kafka: committed offsets not known: {error.args[0].str()}") from error
    return all(position.offset >= ends[Partition(position.topic, position.partition)] for position in committed)


def demand_not_taken_over(error: KafkaError) -> None:
    """Raises Fenced for an error after which a client is of no use any more, mostly because another has its name."""
    if error.fatal() or error.code() in _TAKEN_OVER:
        raise Fenced(f"Kafka: {error.str()}")


def _positions(offsets: dict[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(*partition, offset) for partition, offset in offsets.items()]


def _produce(producer: Producer, message: Message, **options) -> None:
    """Hand a message to the producer, waiting while its queue is full."""
    deadline = time.monotonic() + conf.transaction_timeout_seconds()
    while True:
        try:
            return producer.produce(
                message.topic,
                message.value,
                message.key,
                message.partition,
                headers=list(message.headers.items()),
                **options,
            )
        except BufferError:
            if time.monotonic() > deadline:
                raise NotReady("Kafka takes no messages: the producer's queue stays full") from None
            producer.poll(0.1)
