"""A consumer of the in-memory broker: one member of a group."""

from collections.abc import Callable, Mapping
from typing import Literal, cast

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, Message, TopicPartition

from consumers.kafka.protocols import RebalanceCallback
from consumers.records import Partition
from testkit.kafka import errors
from testkit.kafka.broker import InMemoryBroker
from testkit.kafka.groups import GroupMetadata, Member

CommitCallback = Callable[[KafkaError | None, list[TopicPartition]], None]


class InMemoryConsumer:
    """As confluent_kafka.Consumer, reading what is committed, from the earliest offset where none was committed.

    Of the settings it knows group.id, group.instance.id, session.timeout.ms and on_commit.
    """

    def __init__(self, broker: InMemoryBroker, settings: Mapping[str, object]):
        self._broker = broker
        self._group = broker.group(str(settings["group.id"]))
        self._member_id = broker.new_member_id()
        self._is_static = "group.instance.id" in settings
        self._name = str(settings.get("group.instance.id", self._member_id))
        self._session_seconds = int(str(settings.get("session.timeout.ms", 45_000))) / 1000
        self._on_commit = cast(CommitCallback | None, settings.get("on_commit"))
        self._topics: list[str] = []
        self._callbacks: dict[str, RebalanceCallback | None] = {}
        self._has_joined = self._is_closed = self._has_reported_fencing = False
        self._assigned: dict[Partition, int | None] = {}
        """Position of each partition; None until the committed offset is known."""
        self._paused: set[Partition] = set()
        """It outlives the loss of a partition, as in librdkafka."""

    # Membership

    def subscribe(
        self,
        topics: list[str],
        on_assign: RebalanceCallback | None = None,
        on_revoke: RebalanceCallback | None = None,
        on_lost: RebalanceCallback | None = None,
    ) -> None:
        self._topics = topics
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}

    def unsubscribe(self) -> None:
        """A static member leaves its group, too."""
        if self._has_joined and self._member() is not None:
            self._call("revoke", set(self._assigned))
            self._group.remove(self._name)
        self._topics, self._has_joined = [], False

    def _member(self) -> Member | None:
        """This consumer's membership; None when it was put out, or another has its name."""
        member = self._group.members.get(self._name)
        return member if member and member.member_id == self._member_id else None

    def _is_fenced(self) -> bool:
        return self._has_joined and self._name in self._group.members and self._member() is None

    def _follow_group(self) -> None:
        """Join, or take part in a rebalance: callbacks are called in here."""
        if not self._topics:
            return
        if self._has_joined and self._member() is None:
            self._call("lost", set(self._assigned))
            self._has_joined = False
        if not self._has_joined:
            self._group.join(self._name, self._member_id, self._topics)
            self._has_joined = True
        self._give_back()
        self._take()

    def _give_back(self) -> None:
        if (member := self._member()) and (moved := member.held - member.target):
            self._call("revoke", moved)
            member.held -= moved

    def _take(self) -> None:
        if (member := self._member()) and (added := self._group.free(self._name) - member.held):
            member.held |= added
            self._call("assign", added)

    def _call(self, event: str, partitions: set[Partition]) -> None:
        callback = self._callbacks.get(event) or (self._callbacks.get("revoke") if event == "lost" else None)
        places = [TopicPartition(*partition) for partition in sorted(partitions)]
        if callback is not None and places:
            callback(cast(Consumer, self), places)
        if event == "assign":
            missing = [each for each in partitions if each not in self._assigned]
            self._assigned |= dict.fromkeys(missing)
        else:
            for partition in partitions:
                self._assigned.pop(partition, None)

    def close(self) -> None:
        """A static member stays in its group until its session ends."""
        if self._is_closed:
            return
        member = self._member() if self._has_joined else None
        self._call("revoke" if member else "lost", set(self._assigned))
        self._is_closed = True
        if member is not None:
            member.held = set()
            if self._is_static:
                member.ends_at = self._broker.clock.monotonic() + self._session_seconds
            else:
                self._group.remove(self._name)

    # Reading

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        found = self._poll(num_messages)
        if not found:
            self._broker.clock.sleep(max(0.0, timeout))
            found = self._poll(num_messages)
        return found

    def _poll(self, limit: int) -> list[Message]:
        if self._is_closed:
            raise RuntimeError("Consumer closed")
        self._broker.tick()
        if self._is_fenced():
            return self._fencing()
        self._follow_group()
        return self._fetch(limit)

    def _fencing(self) -> list[Message]:
        reported, self._has_reported_fencing = self._has_reported_fencing, True
        reason = "Broker: Static consumer fenced by other consumer with same group.instance.id"
        return [] if reported else [Message(error=errors.fatal(KafkaError.FENCED_INSTANCE_ID, reason))]

    def _fetch(self, limit: int) -> list[Message]:
        messages: list[Message] = []
        for partition in list(self._assigned):
            position = self._position(partition)
            logs = self._broker.topic(partition.topic).logs if self._broker.partitions_of(partition.topic) else {}
            if partition in self._paused or position is None or partition not in logs:
                continue
            found, self._assigned[partition] = logs[partition].read(position, limit - len(messages))
            messages += found
        return messages

    def _position(self, partition: Partition) -> int | None:
        if self._assigned[partition] is None and self._group.is_stable(partition):
            self._assigned[partition] = self._group.offsets.get(partition, 0)
        return self._assigned[partition]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._paused |= {Partition(each.topic, each.partition) for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self._paused -= {Partition(each.topic, each.partition) for each in partitions}

    def seek(self, partition: TopicPartition) -> None:
        place = Partition(partition.topic, partition.partition)
        if place not in self._assigned:
            raise errors.local(KafkaError._STATE, "Local: Erroneous state")
        self._assigned[place] = partition.offset

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            place = Partition(each.topic, each.partition)
            if place in self._assigned:
                raise errors.local(KafkaError._CONFLICT, f"{place} is assigned already")
            self._assigned[place] = None if each.offset == OFFSET_INVALID else each.offset

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            place = Partition(each.topic, each.partition)
            if place not in self._assigned:
                raise errors.local(KafkaError._INVALID_ARG, f"{place} is not assigned")
            del self._assigned[place]

    # Offsets

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        self._broker.tick()
        places = [Partition(each.topic, each.partition) for each in partitions]
        if not all(map(self._group.is_stable, places)):
            self._broker.clock.sleep(max(0.0, timeout))
            raise errors.timed_out("Local: Timed out: a transaction holds these offsets")
        return [TopicPartition(*place, self._group.offsets.get(place, OFFSET_INVALID)) for place in places]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True] = True) -> None:
        """The result goes to on_commit."""
        error = None
        if self._member() is None:
            error = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
        else:
            self._group.offsets |= {Partition(each.topic, each.partition): each.offset for each in offsets}
        if self._on_commit is not None:
            self._on_commit(error, offsets)

    def consumer_group_metadata(self) -> GroupMetadata:
        return GroupMetadata(self._group.name, self._name, self._member_id, self._group.generation)
