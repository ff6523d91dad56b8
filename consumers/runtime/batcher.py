"""Batches: records are gathered until there are enough of them, or the first has waited long enough."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consumers.records import Outcome, Partition, Record

MAX_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Batch:
    """Records under way together, in offset order within each partition; they have an outcome once processed."""

    records: list[Record]
    outcome: Outcome | None = None

    @property
    def result(self) -> Outcome:
        """The outcome of a processed batch. Raises ValueError before."""
        if self.outcome is None:
            raise ValueError("the batch has not been processed")
        return self.outcome

    def starts(self) -> dict[Partition, int]:
        """The first offset of each partition in it."""
        starts: dict[Partition, int] = {}
        for record in self.records:
            starts.setdefault(record.source, record.offset)
        return starts

    def ends(self) -> dict[Partition, int]:
        """The offset after the last of each partition in it: what to commit."""
        return {record.source: record.offset + 1 for record in self.records}

    def accepted(self) -> list[Record]:
        """The processed records that were not rejected."""
        rejected = {id(rejection.record) for rejection in self.result.rejections}
        return [record for record in self.records if id(record) not in rejected]

    def without(self, partitions: Iterable[Partition]) -> "Batch":
        """The records of the other partitions, to be processed again: the outcome was of all of them."""
        return Batch(_without(self.records, partitions))


class Batcher:
    """Gathers records into batches of at most `max_records`, closed early by bytes, `max_seconds` after the first, or
    when nothing has come for `idle_seconds`.

    Raw messages only: nothing is begun for a record before its batch closes, so a rebalance just drops its partitions'
    part.
    """

    def __init__(
        self, max_records: int, max_seconds: float, clock: Callable[[], float], idle_seconds: float = math.inf
    ):
        self._max_records, self._max_seconds, self._idle_seconds = max_records, max_seconds, idle_seconds
        self._clock = clock
        self._records: list[Record] = []
        self._bytes = 0
        self._since = self._last = 0.0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def room(self) -> int:
        """Records that still fit; 0 when full."""
        return max(0, self._max_records - len(self._records))

    def seconds_left(self) -> float | None:
        """Until the batch closes by time; None while it is empty."""
        due = min(self._since + self._max_seconds, self._last + self._idle_seconds)
        return max(0.0, due - self._clock()) if self._records else None

    def closed(self) -> bool:
        """Whether the batch is due."""
        return bool(self._records) and (not self.room or self._bytes >= MAX_BYTES or not self.seconds_left())

    def add(self, records: list[Record]) -> None:
        if records:
            self._last = self._clock()
            self._since = self._since if self._records else self._last
        self._records += records
        self._bytes += sum(map(_size, records))

    def take(self) -> Batch:
        """The batch gathered; an empty one begins."""
        batch, self._records, self._bytes = Batch(self._records), [], 0
        return batch

    def drop(self, partitions: Iterable[Partition]) -> None:
        """Forget the records of partitions no longer held."""
        self._records = _without(self._records, partitions)
        self._bytes = sum(map(_size, self._records))

    def starts(self) -> dict[Partition, int]:
        """The first offset gathered of each partition."""
        return Batch(self._records).starts()


def _without(records: list[Record], partitions: Iterable[Partition]) -> list[Record]:
    gone = set(partitions)
    return [record for record in records if record.source not in gone]


def _size(record: Record) -> int:
    return len(record.value or b"") + len(record.key or b"")
