"""Topics: partitions as lists of entries, some of them under an open, committed or aborted transaction."""

import uuid
from dataclasses import dataclass, field
from enum import Enum

from confluent_kafka import Message

from consumers.kafka.protocols import Headers
from consumers.records import Partition

LOG_APPEND_TIME = 2


class Fate(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(eq=False)
class Transaction:
    """One transaction of a producer: where it wrote, and the offsets to be committed with it, by group."""

    began_at: float
    fate: Fate = Fate.OPEN
    partitions: set[Partition] = field(default_factory=set)
    offsets: dict[str, dict[Partition, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, or the marker at the end of a transaction, which takes an offset, too."""

    timestamp_ms: int
    transaction: Transaction | None
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers | None = None
    is_marker: bool = False

    @property
    def is_visible(self) -> bool:
        """To read_committed readers, below the last stable offset."""
        return not self.is_marker and (self.transaction is None or self.transaction.fate is Fate.COMMITTED)


class PartitionLog:
    """What was written to one partition; the offset is the place in the list."""

    def __init__(self, partition: Partition):
        self._partition = partition
        self._entries: list[Entry] = []

    def append(self, entry: Entry) -> int:
        """The entry's offset."""
        self._entries.append(entry)
        return len(self._entries) - 1

    @property
    def stable_end(self) -> int:
        """The last stable offset: up to here every transaction has ended."""
        unstable = (
            n for n, each in enumerate(self._entries) if each.transaction and each.transaction.fate is Fate.OPEN
        )
        return next(unstable, len(self._entries))

    def read(self, position: int, limit: int) -> tuple[list[Message], int]:
        """Up to `limit` messages from a position, as a read_committed reader gets them, and the position after them."""
        messages: list[Message] = []
        while position < self.stable_end and len(messages) < limit:
            if self._entries[position].is_visible:
                messages.append(self._message(position))
            position += 1
        return messages, position

    def _message(self, offset: int) -> Message:
        entry = self._entries[offset]
        return Message(
            topic=self._partition.topic,
            partition=self._partition.number,
            offset=offset,
            key=entry.key,
            value=entry.value,
            headers=entry.headers,
            timestamp=(LOG_APPEND_TIME, entry.timestamp_ms),
        )


class Topic:
    """A topic; one made anew under the same name has another id."""

    def __init__(self, name: str, partitions: int):
        self.id = str(uuid.uuid4())
        self.logs = {Partition(name, n): PartitionLog(Partition(name, n)) for n in range(partitions)}
