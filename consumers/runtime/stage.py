"""What a stage is to the runtime: a small class that turns a batch into an outcome.

The runtime owns polling, batching, transactions, offsets, rebalances, pausing, retries, dead letters, metrics and
shutdown. A stage never touches a consumer or a producer.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers import conf


class Partition(NamedTuple):
    """A partition of a topic; equal to, and usable as, the plain pair."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """A message as read. `timestamp_ms`: milliseconds since 1970, -1 where there is none; of repeated headers the last
    counts.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: dict[str, bytes | None]
    value: bytes | None

    @property
    def source(self) -> Partition:
        return Partition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be written, with its partition fixed by the stage."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of key, headers and value."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers.items())
        return len(self.key or b"") + headers + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that cannot be processed, now or later: it goes to the dead letters.

    `reason` is a short code in snake_case, `detail` says it in words; article and sequence where they can be told.
    """

    record: Record
    reason: str
    detail: str
    article_id: str | None = None
    sequence: int | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a batch: messages to write and records rejected; a sink's other records are stored."""

    messages: list[Message] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


class NotReady(Exception):
    """Something outside is away or slow; the text says what.

    The runtime pauses the partitions, keeps the membership and tries the same records again after growing delays.
    """


class Fenced(Exception):
    """Another process has taken over what this one holds. The runtime ends the process; the supervisor starts it
    anew.
    """


class Stage:
    """Base of all stages; `name`, `group_name` and `member_name` are class attributes.

    A process makes one instance and uses it from one thread.
    """

    name: str
    """How people call it: enricher, database, search, archive."""

    group_name: str
    """Ending of its consumer group, see conf.group."""

    member_name: str
    """Stem of its members: processor-node, database-node."""

    def __init__(self) -> None:
        self.max_records: int = conf.batch_records()
        self.max_seconds: float = conf.batch_seconds()
        self.idle_seconds: float = math.inf

    @property
    def group(self) -> str:
        """The consumer group, for example `audit-trail-processor`."""
        return conf.group(self.group_name)

    @property
    def member(self) -> str:
        """Stem of the static members' names; the runtime adds the slot."""
        return self.member_name

    def topics(self) -> list[str]:
        """Topics to read."""
        raise NotImplementedError

    def open(self) -> None:
        """Get ready to process. Raises NotReady, and is then called again."""

    def close(self) -> None:
        """Let go of connections; called once, at the end."""

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        """Where to start reading partitions just assigned; those left out start at the group's committed offset.

        Called on each assignment: the place to take leases. Raises NotReady, and is then called again.
        """
        return {}

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """These partitions are no longer this process's: forget what is held for them."""

    def process(self, records: list[Record]) -> Outcome:
        """Turn records, in offset order within each partition, into an outcome; a sink's records are durable when it
        returns.

        It may see the same records again (after NotReady, a crash or a rebalance). Raises NotReady, Fenced.
        """
        raise NotImplementedError
