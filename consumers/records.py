"""What moves between Kafka and the stages: messages as read, as written, and those that could not be processed."""

from dataclasses import dataclass, field
from typing import NamedTuple


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
