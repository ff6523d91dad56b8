"""How far each stage is behind, as Kafka itself sees it.

The client's own `consumer_lag` is -1 under transactional commits, so offsets are asked for: the group's, and the
partitions' first and last ones for a read_committed reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from consumers.kafka import clients, transaction_markers
from consumers.records import Partition

TIMEOUT_SECONDS = 5

Offsets = dict[Partition, int | None]
"""Offset of each partition; None where it cannot be told, for want of a leader."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """First offset and end of each partition; a missing topic has none."""

    first: Offsets
    end: Offsets


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member as the group's coordinator knows it."""

    name: str
    host: str
    partitions: tuple[Partition, ...]


def bounds(admin: AdminClient, topics: Iterable[str]) -> Bounds:
    """Where the partitions of the topics begin and end. Raises KafkaException when no broker answers."""
    known = admin.list_topics(timeout=TIMEOUT_SECONDS).topics
    partitions = [Partition(topic, number) for topic in topics if topic in known for number in known[topic].partitions]
    return Bounds(_offsets(admin, partitions, OffsetSpec.earliest()), _offsets(admin, partitions, OffsetSpec.latest()))


def _offsets(admin: AdminClient, partitions: list[Partition], spec: OffsetSpec) -> Offsets:
    if not partitions:
        return {}
    asked = {TopicPartition(*partition): spec for partition in partitions}
    futures = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_SECONDS)
    return {Partition(place.topic, place.partition): _offset(future) for place, future in futures.items()}


def _offset(future) -> int | None:
    try:
        return future.result(TIMEOUT_SECONDS).offset
    except KafkaException:
        return None


def committed(group: str, partitions: Iterable[Partition]) -> Offsets:
    """The group's committed offsets; partitions it never committed are left out. Raises KafkaException.

    A consumer is asked: the same question to the admin client ends the process when the coordinator's connection breaks
    at that moment (librdkafka, issue 4605).
    """
    places = clients.positions(group).committed(
        [TopicPartition(*partition) for partition in partitions], TIMEOUT_SECONDS
    )
    return {Partition(place.topic, place.partition): place.offset for place in places if place.offset >= 0}


def behind(first: int | None, end: int | None, position: int | None) -> int | None:
    """Messages of a partition still to be read; what was deleted before it was read is not among them."""
    if first is None or end is None:
        return None
    return max(0, end - max(first, position or 0))


def by_partition(
    topics: Iterable[str], within: Bounds, positions: Offsets, longest: int = transaction_markers.LONGEST
) -> dict[Partition, int | None]:
    """Lag of each partition of the topics, None where it cannot be told; a remainder (up to `longest`) without a
    message is none.
    """
    topics = set(topics)
    lags = {
        partition: behind(first, within.end[partition], positions.get(partition))
        for partition, first in within.first.items()
        if partition.topic in topics
    }
    short = {
        partition: (within.end[partition] - lag, within.end[partition])
        for partition, lag in lags.items()
        if lag and lag <= longest
    }
    return lags | dict.fromkeys(transaction_markers.reader().only_markers(short) if short else (), 0)


def total(lags: dict[Partition, int | None]) -> int | None:
    """The whole lag; None where a part of it cannot be told."""
    return None if not lags or None in lags.values() else sum(lags.values())


def members(admin: AdminClient, groups: Iterable[str]) -> dict[str, tuple[str, list[GroupMember]]]:
    """State and members of each group; a group that never was is DEAD and empty. Raises KafkaException.

    Ask for `committed` first: this one must not meet a coordinator that is just going away (see there).
    """
    futures = admin.describe_consumer_groups(list(groups), request_timeout=TIMEOUT_SECONDS)
    found = {}
    for group, future in futures.items():
        described = future.result(TIMEOUT_SECONDS)
        found[group] = described.state.name, [_member(member) for member in described.members]
    return found


def _member(member) -> GroupMember:
    places = member.assignment.topic_partitions if member.assignment else []
    partitions = tuple(sorted(Partition(place.topic, place.partition) for place in places))
    return GroupMember(member.group_instance_id or member.client_id, member.host.lstrip("/"), partitions)
