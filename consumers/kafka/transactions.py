"""Transactions in Kafka, as relay, delivery and replay write them.

After a call whose fate is not known a late reply could still hit the next transaction. So a producer that failed in any
way but a clean abort is dropped, and the next transaction begins with another one under the same transactional.id,
whose initialisation settles what was pending.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from consumers import conf
from consumers.errors import NotReady
from consumers.kafka.call_watchdog import enforced
from consumers.kafka.error_codes import is_fencing
from consumers.kafka.protocols import DeliveryCallback, Headers, ProducerClient
from consumers.records import Message

_POLL_SECONDS = 0.1

Seconds = Callable[[], float]
"""Seconds the next call to Kafka may take."""

_Result = TypeVar("_Result")


class Offsets(NamedTuple):
    """Positions to be committed with a transaction.

    `group`: gives the group's metadata; they change with each rebalance.
    """

    positions: list[TopicPartition]
    group: Callable[[], object]


class TransactionalProducer:
    """Writes one transaction after the other under one transactional.id, from one thread.

    `make` gives a new client of that id; `seconds` is asked before each call; `on_doubt` is called when the fate of a
    transaction is not known, so that its client was dropped.
    """

    def __init__(
        self, make: Callable[[], ProducerClient], seconds: Seconds, on_doubt: Callable[[], None] | None = None
    ):
        self._make, self._seconds, self._on_doubt = make, seconds, on_doubt
        self._client: ProducerClient | None = None

    def initialise(self) -> None:
        """Have a producer that may begin; a new one fences every other of the same id, and settles what that left open.

        Raises KafkaException.
        """
        self._initialised()

    def write(self, messages: Iterable[Message], offsets: Offsets | None = None) -> None:
        """Messages and offsets, all or nothing. Raises KafkaException and NotReady; the same may be written again."""
        producer, failures = self._initialised(), list[KafkaError]()
        try:
            self._write(producer, messages, offsets, failures)
        except KafkaException as error:
            if failures or error.args[0].txn_requires_abort():
                self._abort(producer)
            else:
                self._doubt()
            raise
        except BaseException:
            self._doubt()
            raise

    def close(self) -> None:
        """Drop what is unsent; an open transaction is ended by the next producer of the id, or by its timeout."""
        producer, self._client = self._client, None
        # A client that was fenced raises its fatal error once more.
        with suppress(KafkaException), fatal_errors_raised():
            if producer is not None:
                producer.purge()
                producer.flush(0)

    def _initialised(self) -> ProducerClient:
        if self._client is None:
            producer = self._make()
            self._call("init_transactions", producer.init_transactions)
            self._client = producer
        return self._client

    def _write(
        self, producer: ProducerClient, messages: Iterable[Message], offsets: Offsets | None, failures: list[KafkaError]
    ) -> None:
        # 1. Begin: local, at once.
        producer.begin_transaction()
        # 2. Hand over the messages: at once, but while the queue is full; then up to the transaction's timeout.
        produce_all(producer, messages, collecting(failures))
        # 3. Have them confirmed, in one call's time: with nothing left in flight an abort costs no new epoch.
        unconfirmed = self._call("flush", producer.flush)
        if failures:
            raise KafkaException(failures[0])
        if unconfirmed:
            raise NotReady(f"Kafka has not confirmed {unconfirmed} messages within {self._seconds():.0f} s")
        # 4. Add the offsets, in one call's time.
        if offsets is not None:
            positions, group = offsets.positions, offsets.group()
            self._call(
                "send_offsets_to_transaction",
                lambda seconds: producer.send_offsets_to_transaction(positions, group, seconds),
            )
        # 5. Commit, in one call's time.
        self._call("commit_transaction", producer.commit_transaction)

    def _abort(self, producer: ProducerClient) -> None:
        try:
            self._call("abort_transaction", producer.abort_transaction)
        except KafkaException as error:
            self._doubt()
            if is_fencing(error.args[0]):
                raise

    def _doubt(self) -> None:
        self.close()
        if self._on_doubt is not None:
            self._on_doubt()

    def _call(self, name: str, call: Callable[[float], _Result]) -> _Result:
        seconds = self._seconds()
        with enforced(seconds, name), fatal_errors_raised():
            return call(seconds)


@contextmanager
def fatal_errors_raised() -> Iterator[None]:
    """Raise a fatal error of the client as the KafkaException it is.

    The client raises it in the midst of delivery reports, and Python then says SystemError of the report.
    """
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from error
        raise


def produce_all(producer: ProducerClient, messages: Iterable[Message], on_delivery: DeliveryCallback) -> None:
    """Hand messages to the producer, waiting while its queue is full. Raises NotReady and KafkaException."""
    for message in messages:
        _produce(producer, message, on_delivery)


def _produce(producer: ProducerClient, message: Message, on_delivery: DeliveryCallback) -> None:
    headers: Headers = list(message.headers.items())
    deadline: float | None = None
    while True:
        try:
            return producer.produce(
                message.topic, message.value, message.key, message.partition, headers=headers, on_delivery=on_delivery
            )
        except BufferError:
            # Read from the environment only here: not for each message.
            deadline = deadline or time.monotonic() + conf.transaction_timeout_seconds()
            if time.monotonic() > deadline:
                raise NotReady("Kafka takes no messages: the producer's queue stays full") from None
            with fatal_errors_raised():
                producer.poll(_POLL_SECONDS)


def collecting(failures: list[KafkaError]) -> DeliveryCallback:
    """A receiver of delivery reports that notes the failures."""

    def delivered(error: KafkaError | None, _: KafkaMessage) -> None:
        if error is not None:
            failures.append(error)

    return delivered
