"""Kafka as tests of the loop use it: in memory, or the real one, so that the first is held against the second."""

import time
from typing import Protocol, cast

from confluent_kafka import TopicPartition
from confluent_kafka.cimpl import NewTopic

from consumers.kafka import clients, topics
from consumers.kafka.protocols import GroupConsumer, ProducerClient
from consumers.messages.authenticity import keyring
from consumers.records import Message, Partition
from consumers.runtime.clock import Clock
from testkit.consumers import running, witness
from testkit.consumers.witness import ReadMessage
from testkit.kafka.broker import InMemoryBroker
from testkit.kafka.clock import ManualClock
from testkit.kafka.consumer import InMemoryConsumer
from testkit.kafka.producer import InMemoryProducer
from testkit.waiting import until

SESSION_SECONDS = 6
ADMIN_SECONDS = 20


class Backend(Protocol):
    """Topics, clients for the code under test, and a witness of what is in Kafka."""

    @property
    def clock(self) -> Clock: ...

    def create_topic(self, name: str, partitions: int) -> None: ...

    def delete_topic(self, name: str) -> None: ...

    def topic_ids(self, names: list[str]) -> dict[str, str]:
        """Raises KafkaException."""

    def consumer(self, group: str, member: str) -> GroupConsumer: ...

    def producer(self) -> ProducerClient: ...

    def transactional_producer(self, transactional_id: str) -> ProducerClient: ...

    def put(self, topic: str, messages: list[tuple[int, bytes | None]]) -> None:
        """Write (partition, value), each with its value as key and event's id."""

    def messages(self, topic: str) -> list[ReadMessage]:
        """What a read_committed reader gets, partition by partition."""

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's offsets, where there are any."""


def _headers(value: bytes | None) -> dict[str, bytes]:
    return {} if value is None else {"ce_id": value}


class InMemoryBackend:
    """A broker of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = InMemoryBroker(self.clock)
        self.create_topic = self.broker.create_topic
        self.delete_topic = self.broker.delete_topic
        self.topic_ids = self.broker.topic_ids

    def consumer(self, group: str, member: str) -> InMemoryConsumer:
        settings = {"group.id": group, "group.instance.id": member, "session.timeout.ms": SESSION_SECONDS * 1000}
        return InMemoryConsumer(self.broker, settings)

    def producer(self) -> InMemoryProducer:
        return InMemoryProducer(self.broker, {})

    def transactional_producer(self, transactional_id: str) -> InMemoryProducer:
        return InMemoryProducer(self.broker, {"transactional.id": transactional_id, "transaction.timeout.ms": 15_000})

    def put(self, topic: str, messages: list[tuple[int, bytes | None]]) -> None:
        for partition, value in messages:
            message = Message(topic, partition, value, value, dict(_headers(value)))
            keyring().sign(message)
            self.broker.append(Partition(topic, partition), value, value, list(message.headers.items()))

    def messages(self, topic: str) -> list[ReadMessage]:
        logs = self.broker.topic(topic).logs.values()
        return [cast(ReadMessage, message) for log in logs for message in log.read(0, log.stable_end)[0]]

    def committed(self, group: str, topic: str) -> dict[int, int]:
        offsets = self.broker.group(group).offsets
        return {partition.number: offset for partition, offset in offsets.items() if partition.topic == topic}


class RealBackend:
    """The stack's Kafka."""

    clock: Clock = time

    def __init__(self) -> None:
        self._topics: dict[str, int] = {}

    def create_topic(self, name: str, partitions: int) -> None:
        new = NewTopic(name, partitions, 3, config={"message.timestamp.type": "LogAppendTime"})
        clients.admin().create_topics([new])[name].result(ADMIN_SECONDS)
        until(lambda: self._is_known(name, partitions), what=f"topic {name}")
        self._topics[name] = partitions

    def delete_topic(self, name: str) -> None:
        clients.admin().delete_topics([name])[name].result(ADMIN_SECONDS)
        del self._topics[name]

    def _is_known(self, name: str, partitions: int) -> bool:
        known = clients.admin().list_topics(timeout=ADMIN_SECONDS).topics
        return name in known and sum(each.leader >= 0 for each in known[name].partitions.values()) == partitions

    def topic_ids(self, names: list[str]) -> dict[str, str]:
        return topics.ids(clients.admin(), names, 3.0)

    def consumer(self, group: str, member: str) -> GroupConsumer:
        return clients.consumer(group, member)

    def producer(self) -> ProducerClient:
        return clients.producer()

    def transactional_producer(self, transactional_id: str) -> ProducerClient:
        return clients.transactional_producer(transactional_id)

    def put(self, topic: str, messages: list[tuple[int, bytes | None]]) -> None:
        running.put(topic, [(partition, value, value, _headers(value)) for partition, value in messages])

    def messages(self, topic: str) -> list[ReadMessage]:
        return witness.committed(topic)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        asked = [TopicPartition(topic, number) for number in range(self._topics[topic])]
        return running.committed(clients.offsets_reader(group), asked)

    def close(self) -> None:
        """Remove what it made."""
        for name in list(self._topics):
            self.delete_topic(name)
        clients.offsets_reader.cache_clear()
