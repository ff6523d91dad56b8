"""The in-memory broker: topics, groups, and who may write under which transactional id."""

import itertools
from dataclasses import dataclass

from confluent_kafka import KafkaError

from consumers.kafka.protocols import Headers
from consumers.records import Partition
from testkit.kafka import errors
from testkit.kafka.clock import ManualClock
from testkit.kafka.groups import Group
from testkit.kafka.log import Entry, Fate, Topic, Transaction


@dataclass
class TransactionalId:
    """The one producer that may write under an id, by its epoch, and its open transaction."""

    epoch: int = 0
    timeout: float = 60.0
    transaction: Transaction | None = None


class InMemoryBroker:
    """What clients made with it (consumer.py, producer.py) talk to."""

    def __init__(self, clock: ManualClock | None = None):
        self.clock = clock or ManualClock()
        self._topics: dict[str, Topic] = {}
        self._groups: dict[str, Group] = {}
        self._ids: dict[str, TransactionalId] = {}
        self._numbers = itertools.count(1)

    def tick(self) -> None:
        """What happens by the passing of time: sessions end, transactions left open are aborted."""
        for group in self._groups.values():
            group.end_sessions(self.clock.monotonic())
        for each in self._ids.values():
            if each.transaction and each.transaction.began_at + each.timeout <= self.clock.monotonic():
                each.epoch += 1
                self._end(each, Fate.ABORTED)

    def new_member_id(self) -> str:
        return f"member-{next(self._numbers)}"

    # Topics

    def create_topic(self, name: str, partitions: int) -> None:
        self._topics[name] = Topic(name, partitions)

    def delete_topic(self, name: str) -> None:
        del self._topics[name]

    def topic_ids(self, names: list[str]) -> dict[str, str]:
        """Raises KafkaException for a topic that is not there."""
        for name in names:
            self.topic(name)
        return {name: self._topics[name].id for name in names}

    def topic(self, name: str) -> Topic:
        if name not in self._topics:
            raise errors.local(KafkaError.UNKNOWN_TOPIC_OR_PART, "Broker: Unknown topic or partition")
        return self._topics[name]

    def partitions_of(self, topic: str) -> list[Partition]:
        return list(self._topics[topic].logs) if topic in self._topics else []

    def append(
        self,
        partition: Partition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        transaction: Transaction | None = None,
    ) -> int:
        """The offset of a message just written."""
        entry = Entry(self.clock.epoch_ms(), transaction, key, value, headers)
        if transaction is not None:
            transaction.partitions.add(partition)
        return self.topic(partition.topic).logs[partition].append(entry)

    # Groups

    def group(self, name: str) -> Group:
        return self._groups.setdefault(name, Group(name, self.partitions_of))

    def evict(self, group: str, name: str) -> None:
        """Put a member out, as a coordinator does with one that was silent for its session."""
        self.group(group).remove(name)

    # Transactions

    def initialise(self, transactional_id: str, timeout: float) -> int:
        """The epoch of a producer that may write from now on; those before it are fenced, what was open is aborted."""
        found = self._ids.setdefault(transactional_id, TransactionalId())
        self._end(found, Fate.ABORTED)
        found.epoch, found.timeout = found.epoch + 1, timeout
        return found.epoch

    def is_current(self, transactional_id: str, epoch: int) -> bool:
        return self._ids[transactional_id].epoch == epoch

    def begin(self, transactional_id: str) -> Transaction:
        transaction = self._ids[transactional_id].transaction = Transaction(self.clock.monotonic())
        return transaction

    def end(self, transactional_id: str, fate: Fate) -> None:
        """Commit or abort the open transaction."""
        self._end(self._ids[transactional_id], fate)

    def _end(self, owner: TransactionalId, fate: Fate) -> None:
        transaction, owner.transaction = owner.transaction, None
        if transaction is None:
            return
        transaction.fate = fate
        for partition in transaction.partitions:
            if partition.topic in self._topics:
                marker = Entry(self.clock.epoch_ms(), transaction, is_marker=True)
                self._topics[partition.topic].logs[partition].append(marker)
        if fate is Fate.COMMITTED:
            for group, offsets in transaction.offsets.items():
                self.group(group).offsets |= offsets
