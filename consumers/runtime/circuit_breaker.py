"""The circuit breaker: a broken deploy must not drain a topic, or a partition of it, into the dead letters."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from consumers.messages.authenticity import UNKNOWN_KEY
from consumers.records import Partition, Record
from consumers.runtime.batcher import Batch

HALTING = (UNKNOWN_KEY,)
"""Reasons that a setting of the process puts right: then the same record can be processed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much of one partition: so many rejected records in a row (0: never), or more than this share of its
    last records, of which twice as many count.
    """

    run: int
    share: float

    @property
    def window(self) -> int:
        """Records of which the share is taken."""
        return 2 * self.run


@dataclass(frozen=True, slots=True)
class Halt:
    """A partition that is read no further: offsets of the batch that waits, how many records it has of the partition,
    how many of them were rejected, and why it was halted. `topic_id`: Kafka's, as a topic made anew has other records.
    """

    topic: str
    topic_id: str
    partition: int
    first_offset: int
    last_offset: int
    records: int
    rejected: int
    reason: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} halted at offset {self.first_offset}: {self.reason}"


@dataclass(slots=True)
class _Count:
    """Fates of a partition's records since one was rejected: true for rejected."""

    run: int = 0
    window: deque[bool] = field(default_factory=deque)


class CircuitBreaker:
    """Counts the rejected records of each partition, in a row and as a share of its last ones. One for a reason of
    HALTING is enough.

    A partition of which nothing was rejected lately costs nothing.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._counts: dict[Partition, _Count] = {}
        self._released: dict[Partition, int] = {}

    def poisoned(self, batch: Batch) -> dict[Partition, str]:
        """The partitions of a processed batch that are to be halted, and why. Counts nothing."""
        fates = self._fates(batch)
        last = {rejection.record.source: rejection for rejection in batch.result.rejections}
        found = {
            rejection.record.source: rejection.detail
            for rejection in batch.result.rejections
            if rejection.reason in HALTING and not self._passes(rejection.record)
        }
        for partition in last.keys() & fates:
            if why := self._too_many(self._counts.get(partition, _Count()), fates[partition]):
                because = f"{last[partition].reason}: {last[partition].detail}"
                found[partition] = f"{why} could not be processed, lately because: {because}"
        return found

    def record_delivered(self, batch: Batch) -> None:
        """Count the records of a delivered batch."""
        for partition, fates in self._fates(batch).items():
            count = self._counts.setdefault(partition, _Count(window=deque(maxlen=self._limits.window)))
            count.run = _runs(count.run, fates)[1]
            count.window.extend(fates)
            if not any(count.window):
                del self._counts[partition]

    def release(self, partition: Partition, last_offset: int) -> None:
        """Let the partition's records up to this offset pass, and count from zero after them."""
        self._released[partition] = last_offset
        self._counts.pop(partition, None)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Count from zero when these come back."""
        for partition in partitions:
            self._counts.pop(partition, None)
            self._released.pop(partition, None)

    def _fates(self, batch: Batch) -> dict[Partition, list[bool]]:
        """Of each partition that has to be counted: whether its records were rejected, in order, without those let
        pass.
        """
        rejected = {id(rejection.record) for rejection in batch.result.rejections}
        counted = self._counts.keys() | {rejection.record.source for rejection in batch.result.rejections}
        found: dict[Partition, list[bool]] = {}
        if not counted or not self._limits.run:
            return found
        for record in batch.records:
            if record.source in counted and not self._passes(record):
                found.setdefault(record.source, []).append(id(record) in rejected)
        return found

    def _passes(self, record: Record) -> bool:
        return record.offset <= self._released.get(record.source, -1)

    def _too_many(self, count: _Count, fates: list[bool]) -> str:
        longest = _runs(count.run, fates)[0]
        if longest >= self._limits.run:
            return f"{longest} messages in a row"
        last = [*count.window, *fates][-self._limits.window :]
        if len(last) == self._limits.window and sum(last) > self._limits.share * len(last):
            return f"{sum(last)} of the last {len(last)} messages"
        return ""


def _runs(run: int, fates: Iterable[bool]) -> tuple[int, int]:
    """The longest run of rejections, begun with one of `run`, and the run at the end."""
    longest = 0
    for is_rejected in fates:
        run = run + 1 if is_rejected else 0
        longest = max(longest, run)
    return longest, run
