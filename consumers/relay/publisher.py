"""A lane's side in Kafka: its transactions, and the batch number committed with each.

A publisher that raised is finished: close it and make a new one under the same transactional id, which ends whatever
the old one left open.
"""

import time
from functools import partial

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import clients
from consumers.kafka.transactions import Offsets, TransactionalProducer
from consumers.records import Message
from consumers.relay.recovery import LaneHalted

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
        self._numbers, self._lane, self._topic = numbers, lane, conf.raw_topic()
        self._producer = TransactionalProducer(partial(_client, lane), lambda: CALL_SECONDS)
        self._producer.initialise()
        self.committed_at = float("-inf")
        """When this publisher last committed a number, by the monotonic clock."""

    def partitions(self) -> int:
        """Partitions of the topic; there is one for each lane at least. Raises LaneHalted."""
        topic = self._numbers.list_topics(self._topic, CALL_SECONDS).topics[self._topic]
        if topic.error:
            raise NotReady(f"topic {self._topic}: {topic.error.str()}; create it with manage.py create_topics")
        if len(topic.partitions) < conf.relay_lanes():
            raise LaneHalted(
                f"topic {self._topic} has {len(topic.partitions)} partitions for {conf.relay_lanes()} lanes: "
                "lower AUDIT_RELAY_LANES"
            )
        return len(topic.partitions)

    def number(self) -> int | None:
        """Number of the last batch that is in Kafka, None if there is none."""
        return lane_number(self._numbers, self._lane)

    def publish(self, messages: list[Message], number: int) -> None:
        """One transaction: all messages and the batch's number, or nothing."""
        place = TopicPartition(self._topic, self._lane, number)
        self._producer.write(messages, Offsets([place], self._numbers.consumer_group_metadata))
        self.committed_at = time.monotonic()

    def close(self) -> None:
        """Drop what is unsent; an open transaction is ended by the successor, or by its timeout."""
        self._producer.close()


def _client(lane: int) -> Producer:
    """A producer of the lane. When its retries are used up the batch is aborted, and published again by a new one.

    Seven, each after twice the time of the one before from 5 ms on, take 0.6 s, time for a partition to get another
    leader.
    """
    return clients.transactional_producer(conf.transactional_id(f"relay-lane-{lane}"), retries=7)
