"""A lane's side in Kafka: its transactions, and the batch number committed with each.

A publisher that raised is finished: close it and make a new one under the same transactional id, which ends whatever
the old one left open. So a late reply to a timed-out call never hits a later transaction.
"""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import clients
from consumers.kafka.call_watchdog import enforced
from consumers.records import Message
from consumers.relay.recovery import Halt

CALL_SECONDS = 15.0


def lane_number(numbers: Consumer, lane: int) -> int | None:
    """Number of the last batch of a lane that is in Kafka, None if there is none. Raises KafkaException."""
    committed = numbers.committed([TopicPartition(conf.raw_topic(), lane)], CALL_SECONDS)[0]
    if committed.error:
        raise KafkaException(committed.error)
    return committed.offset if committed.offset >= 0 else None


class Publisher:
    """Publishes the batches of one lane. Raises KafkaException and NotReady throughout."""

    def __init__(self, lane: int, numbers: Consumer):
        self._numbers = numbers
        self._place = TopicPartition(conf.raw_topic(), lane)
        self._failure: KafkaError | None = None
        self._producer = _producer(lane)
        self._producer.init_transactions(CALL_SECONDS)
        self.committed_at = float("-inf")
        """When this publisher last committed a number, by the monotonic clock."""

    def partitions(self) -> int:
        """Partitions of the topic; there is one for each lane at least. Raises Halt."""
        topic = self._producer.list_topics(self._place.topic, CALL_SECONDS).topics[self._place.topic]
        if topic.error:
            raise NotReady(f"topic {self._place.topic}: {topic.error.str()}; create it with manage.py create_topics")
        if len(topic.partitions) < conf.relay_lanes():
            raise Halt(
                f"topic {self._place.topic} has {len(topic.partitions)} partitions for {conf.relay_lanes()} lanes: lower AUDIT_RELAY_LANES"
            )
        return len(topic.partitions)

    def number(self) -> int | None:
        """Number of the last batch that is in Kafka, None if there is none."""
        return lane_number(self._numbers, self._place.partition)

    def publish(self, messages: list[Message], number: int) -> None:
        """One transaction: all messages and the batch's number, or nothing."""
        self._producer.begin_transaction()
        for message in messages:
            self._producer.produce(
                message.topic,
                message.value,
                message.key,
                message.partition,
                headers=message.headers,
                on_delivery=self._delivered,
            )
        self._confirm()
        place = TopicPartition(self._place.topic, self._place.partition, number)
        with enforced(CALL_SECONDS, "send_offsets_to_transaction"):
            self._producer.send_offsets_to_transaction([place], self._numbers.consumer_group_metadata(), CALL_SECONDS)
        with enforced(CALL_SECONDS, "commit_transaction"):
            self._producer.commit_transaction(CALL_SECONDS)
        self.committed_at = time.monotonic()

    def close(self) -> None:
        """Drop what is unsent; an open transaction is ended by the successor, or by its timeout."""
        self._producer.purge()
        self._producer.flush(0)

    def _confirm(self) -> None:
        unconfirmed = self._producer.flush(CALL_SECONDS)
        if self._failure:
            raise KafkaException(self._failure)
        if unconfirmed:
            raise NotReady(f"Kafka has not confirmed {unconfirmed} messages within {CALL_SECONDS:.0f} s")

    def _delivered(self, error: KafkaError | None, _) -> None:
        self._failure = self._failure or error


def _producer(lane: int) -> Producer:
    settings = {
        "transactional.id": conf.transactional_id(f"relay-lane-{lane}"),
        "transaction.timeout.ms": int(conf.transaction_timeout_seconds() * 1000),
        # When they are used up the batch is aborted, and published again by a new producer.
        "retries": 5,
    }
    return clients.producer(**settings)
