"""The topics as they should be, how they differ from that, and what can be done about it."""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, and not exported for mypy
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    PartitionMetadata,
    ResourceType,
)

from consumers import conf
from consumers.kafka import clients

TIMEOUT_SECONDS = 15
CREATE, ALTER, GROW, NONE = "create", "alter", "grow", "none"


@dataclass(frozen=True)
class Topic:
    """A topic as it should be."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """What is not as it should be: `remedy` is create, alter, grow, or none where only an operator can help (`note`
    says how).
    """

    topic: Topic
    setting: str
    actual: str
    wanted: str
    remedy: str
    note: str = ""


def wanted(brokers: int) -> list[Topic]:
    """The topics for a cluster of so many brokers; replication cannot exceed them."""
    replication = min(conf.replication(), brokers)
    config = {
        "retention.ms": str(conf.retention_hours() * 3_600_000),
        "compression.type": "lz4",
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "cleanup.policy": "delete",
    }
    # The archive names objects by the day of arrival, which must not run backwards within a partition.
    by_arrival = config | {"message.timestamp.type": "LogAppendTime"}
    return [
        Topic(conf.raw_topic(), conf.partitions(), replication, config | {"message.timestamp.type": "CreateTime"}),
        Topic(conf.enriched_topic(), conf.partitions(), replication, by_arrival),
        Topic(
            conf.dead_letter_topic(),
            conf.dead_letter_partitions(),
            replication,
            by_arrival | {"max.message.bytes": str(clients.LARGEST_MESSAGE)},
        ),
    ]


def brokers(admin: AdminClient) -> int:
    """Brokers in the cluster. Raises KafkaException."""
    return len(admin.list_topics(timeout=TIMEOUT_SECONDS).brokers)


def differences(admin: AdminClient, topics: list[Topic]) -> list[Difference]:
    """What is missing or otherwise than wanted; empty when all is well. Raises KafkaException."""
    actual = admin.list_topics(timeout=TIMEOUT_SECONDS).topics
    configs = _configs(admin, [topic for topic in topics if topic.name in actual])
    missing = [topic for topic in topics if topic.name not in configs]
    present = [topic for topic in topics if topic.name in configs]
    found = [
        Difference(topic, "topic", "missing", f"{topic.partitions} partitions × {topic.replication}", CREATE)
        for topic in missing
    ]
    for topic in present:
        found += _in_layout(topic, actual[topic.name].partitions) + _in_config(topic, configs[topic.name])
    return found


def _in_layout(topic: Topic, partitions: Mapping[int, PartitionMetadata]) -> list[Difference]:
    found = []
    if len(partitions) < topic.partitions:
        found.append(Difference(topic, "partitions", str(len(partitions)), str(topic.partitions), GROW))
    elif len(partitions) > topic.partitions:
        note = f"partitions cannot shrink: set the number of partitions to {len(partitions)}, or make the topic anew"
        found.append(Difference(topic, "partitions", str(len(partitions)), str(topic.partitions), NONE, note))
    copies = sorted({len(partition.replicas) for partition in partitions.values()})
    if copies != [topic.replication]:
        note = "move the replicas with kafka-reassign-partitions.sh"
        found.append(Difference(topic, "replication", ", ".join(map(str, copies)), str(topic.replication), NONE, note))
    return found


def _in_config(topic: Topic, actual: dict[str, str]) -> list[Difference]:
    return [
        Difference(topic, name, actual.get(name, ""), value, ALTER)
        for name, value in topic.config.items()
        if actual.get(name) != value
    ]


def _configs(admin: AdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    """Topic → its settings, but for topics that the broker asked does not know."""
    if not topics:
        return {}
    futures = admin.describe_configs(
        [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics], request_timeout=TIMEOUT_SECONDS
    )
    found = {}
    for resource, future in futures.items():
        try:
            found[resource.name] = {name: entry.value for name, entry in future.result().items()}
        except KafkaException as error:
            # Of a topic that has just been made or deleted brokers learn one after the other.
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found


def repair(admin: AdminClient, found: list[Difference]) -> list[Difference]:
    """Create, grow and reconfigure, and wait until that shows; what is left. Raises KafkaException at the first
    failure.

    A topic that seemed to be missing, as not every broker had heard of it, may show differences of its own meanwhile:
    these are repaired, too.
    """
    topics = list({difference.topic.name: difference.topic for difference in found}.values())
    deadline, done = time.monotonic() + TIMEOUT_SECONDS, []
    while time.monotonic() < deadline and (open_ := [difference for difference in found if difference.remedy != NONE]):
        if new := [difference for difference in open_ if difference not in done]:
            _change(admin, new)
            done += new
        else:
            time.sleep(0.1)
        found = differences(admin, topics)
    return found


def _change(admin: AdminClient, found: list[Difference]) -> None:
    if missing := [difference.topic for difference in found if difference.remedy == CREATE]:
        _settle(admin.create_topics([NewTopic(t.name, t.partitions, t.replication, config=t.config) for t in missing]))
    # The enricher writes to the partition it read from: the raw topic, listed first, grows last.
    for difference in reversed([difference for difference in found if difference.remedy == GROW]):
        _settle(admin.create_partitions([NewPartitions(difference.topic.name, difference.topic.partitions)]))
    if changes := [difference for difference in found if difference.remedy == ALTER]:
        _settle(
            admin.incremental_alter_configs(
                [_alteration(name, changes) for name in {change.topic.name for change in changes}]
            )
        )


def _alteration(topic: str, changes: list[Difference]) -> ConfigResource:
    entries = [
        ConfigEntry(change.setting, change.wanted, incremental_operation=AlterConfigOpType.SET)
        for change in changes
        if change.topic.name == topic
    ]
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)


def _settle(futures: "Mapping[str, Future[None]] | Mapping[ConfigResource, Future[None]]") -> None:
    for future in futures.values():
        try:
            future.result(timeout=TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def ids(admin: AdminClient, names: list[str], timeout: float = TIMEOUT_SECONDS) -> dict[str, str]:
    """Kafka's id of each topic, as its own tools print it: it distinguishes a topic from one that was created
    again under its name.

    `timeout`: in seconds. Raises KafkaException.
    """
    futures = admin.describe_topics(TopicCollection(names), request_timeout=timeout)
    return {name: _as_text(future.result().topic_id) for name, future in futures.items()}


def _as_text(topic_id: Uuid) -> str:
    return str(topic_id).rstrip("=").translate(str.maketrans("+/", "-_"))
