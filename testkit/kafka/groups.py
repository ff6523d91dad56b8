"""Consumer groups: who is a member, which partitions each shall have, and how far the group has come."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import KafkaError

from consumers.records import Partition
from testkit.kafka import errors
from testkit.kafka.log import Fate, Transaction


class GroupMetadata(NamedTuple):
    """What a member proves itself by when offsets are sent to a transaction."""

    group: str
    name: str
    member_id: str
    generation: int


@dataclass
class Member:
    """A member under its name: group.instance.id, or for dynamic members the id of the client."""

    member_id: str
    topics: list[str]
    target: set[Partition] = field(default_factory=set)
    """What it shall have."""
    held: set[Partition] = field(default_factory=set)
    """What it has not given back yet."""
    ends_at: float | None = None
    """When its session ends; None while it is there."""


class Group:
    """A group under the cooperative protocol: a partition moves only once its holder has given it back."""

    def __init__(self, name: str, partitions_of: Callable[[str], Iterable[Partition]]):
        self.name, self._partitions_of = name, partitions_of
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.offsets: dict[Partition, int] = {}
        self._pending: list[Transaction] = []

    def join(self, name: str, member_id: str, topics: list[str]) -> None:
        """A static member that comes back in time takes over what its predecessor had, whatever it subscribes to."""
        if name in self.members:
            member = self.members[name]
            member.member_id, member.topics, member.ends_at, member.held = member_id, topics, None, set()
        else:
            self.members[name] = Member(member_id, topics)
            self._rebalance()

    def remove(self, name: str) -> None:
        """The member has left, or was put out; what it had is free."""
        del self.members[name]
        self._rebalance()

    def end_sessions(self, now: float) -> None:
        for name in [name for name, each in self.members.items() if each.ends_at is not None and each.ends_at <= now]:
            self.remove(name)

    def free(self, name: str) -> set[Partition]:
        """What a member shall have and nobody else still holds."""
        held = set().union(*(each.held for other, each in self.members.items() if other != name))
        return self.members[name].target - held

    def _rebalance(self) -> None:
        """Members that read the same topics share their partitions; no two read some of the same only."""
        self.generation += 1
        for topics in {tuple(each.topics) for each in self.members.values()}:
            members = [each for each in self.members.values() if tuple(each.topics) == topics]
            _share(members, sorted(partition for topic in topics for partition in self._partitions_of(topic)))

    def check(self, metadata: GroupMetadata) -> None:
        """Raises KafkaException unless the metadata are those of a member as of now."""
        member = self.members.get(metadata.name)
        if member is None:
            raise errors.abortable(KafkaError.UNKNOWN_MEMBER_ID, "Broker: Unknown member")
        if member.member_id != metadata.member_id:
            raise errors.abortable(KafkaError.FENCED_INSTANCE_ID, "Broker: Static consumer fenced by other consumer")
        if self.generation != metadata.generation:
            raise errors.abortable(KafkaError.ILLEGAL_GENERATION, "Broker: Specified group generation id is not valid")

    def add_pending(self, transaction: Transaction) -> None:
        self._pending.append(transaction)

    def is_stable(self, partition: Partition) -> bool:
        """Whether no open transaction holds an offset of it."""
        self._pending = [each for each in self._pending if each.fate is Fate.OPEN]
        return not any(partition in each.offsets.get(self.name, {}) for each in self._pending)


def _share(members: list[Member], partitions: list[Partition]) -> None:
    """Balanced, and sticky: nobody loses more than what is above its share."""
    left = len(partitions)
    for place, member in enumerate(members):
        share = -(-left // (len(members) - place))
        member.target = set(sorted(member.target & set(partitions))[:share])
        left -= share
    for partition in [each for each in partitions if not any(each in member.target for member in members)]:
        min(members, key=lambda member: len(member.target)).target.add(partition)
