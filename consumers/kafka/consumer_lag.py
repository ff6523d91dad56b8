"""How far each stage is behind, as Kafka itself sees it.

The client's own `consumer_lag` is -1 under transactional commits, so offsets are asked for: the group's, and the
partitions' first and last ones for a read_committed reader.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is public, and not exported for mypy
    AdminClient,
    ListOffsetsResultInfo,
    MemberDescription,
    OffsetSpec,
)

from consumers.kafka import clients, transaction_markers
from consumers.records import Partition

TIMEOUT_SECONDS = 5
_EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the library leaves it untyped
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library leaves it untyped

Offsets = dict[Partition, int | None]
"""Offset of each partition; None where it is not known, for want of a leader."""

Lags = dict[Partition, int | None]
"""Messages of each partition still to be read; None where that is not known."""


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
    return Bounds(_offsets(admin, partitions, _EARLIEST), _offsets(admin, partitions, _LATEST))


def _offsets(admin: AdminClient, partitions: list[Partition], spec: OffsetSpec) -> Offsets:
    if not partitions:
        return {}
    asked = {TopicPartition(*partition): spec for partition in partitions}
    futures = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TIMEOUT_SECONDS)
    return {Partition(place.topic, place.partition): _offset(future) for place, future in futures.items()}


def _offset(future: "Future[ListOffsetsResultInfo]") -> int | None:
    try:
        offset: int = future.result(TIMEOUT_SECONDS).offset
    except (KafkaException, TimeoutError):
        return None
    return offset


def committed(group: str, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """The group's committed offsets; partitions it never committed are left out. Raises KafkaException.

    A consumer is asked: the same question to the admin client ends the process when the coordinator's connection breaks
    at that moment (librdkafka, issue 4605).
    """
    places = clients.offsets_reader(group).committed(
        [TopicPartition(*partition) for partition in partitions], TIMEOUT_SECONDS
    )
    return {Partition(place.topic, place.partition): place.offset for place in places if place.offset >= 0}


def behind(first: int | None, end: int | None, position: int | None) -> int | None:
    """Messages of a partition still to be read; what was deleted before it was read is not among them."""
    if first is None or end is None:
        return None
    return max(0, end - max(first, position or 0))


def by_partition(
    topics: Iterable[str],
    within: Bounds,
    positions: Mapping[Partition, int],
    longest: int = transaction_markers.LONGEST,
) -> Lags:
    """Lag of each partition of the topics; a remainder (up to `longest`) without a message is none."""
    wanted = set(topics)
    lags: Lags = {
        partition: behind(first, within.end[partition], positions.get(partition))
        for partition, first in within.first.items()
        if partition.topic in wanted
    }
    short = {
        partition: (end - lag, end)
        for partition, lag in lags.items()
        if lag and lag <= longest and (end := within.end[partition]) is not None
    }
    return lags | dict.fromkeys(transaction_markers.reader().only_markers(short) if short else (), 0)


def total(lags: Lags) -> int | None:
    """The whole lag; None where a part of it is not known."""
    known = [lag for lag in lags.values() if lag is not None]
    return sum(known) if lags and len(known) == len(lags) else None


def members(admin: AdminClient, groups: Iterable[str]) -> dict[str, tuple[str, list[GroupMember]]]:
    """State and members of each group; a group that never was is DEAD and empty. Raises KafkaException and
    TimeoutError.

    Ask for `committed` first: this one must not meet a coordinator that is just going away (see there).
    """
    futures = admin.describe_consumer_groups(list(groups), request_timeout=TIMEOUT_SECONDS)
    found = {}
    for group, future in futures.items():
        described = future.result(TIMEOUT_SECONDS)
        found[group] = described.state.name, [_member(member) for member in described.members]
    return found


def _member(member: MemberDescription) -> GroupMember:
    places = member.assignment.topic_partitions if member.assignment else []
    partitions = tuple(sorted(Partition(place.topic, place.partition) for place in places))
    return GroupMember(member.group_instance_id or member.client_id, member.host.lstrip("/"), partitions)
