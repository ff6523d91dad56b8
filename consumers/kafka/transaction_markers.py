"""Lag without transaction markers: each transaction ends with one, which takes an offset that no reader ever sees.

So a group that has read everything stays one offset behind the end of each partition. Whether a remainder is nothing
but markers is known only by reading it; what was once read of a log stays true.
"""

import threading
import time
from functools import cache

from confluent_kafka import Consumer, KafkaError, TopicPartition

from consumers.kafka import clients
from consumers.records import Partition

LONGEST = 2
"""A remainder of more offsets is taken to hold messages; a batch's own marker, and perhaps one of a batch given up, is
fewer.
"""
TIMEOUT_SECONDS = 3.0

Span = tuple[int, int]
"""Offset to read from, and the end (exclusive)."""


class Reader:
    """Reads remainders; one for a process, for its threads in turn."""

    def __init__(self, consumer: Consumer):
        self._consumer = consumer
        self._lock = threading.Lock()
        self._only_markers: dict[Partition, Span] = {}

    def only_markers(self, spans: dict[Partition, Span]) -> set[Partition]:
        """The partitions whose span holds no message; one that cannot be read in time is not among them."""
        with self._lock:
            unknown = {
                partition: span for partition, span in spans.items() if self._only_markers.get(partition) != span
            }
            if unknown:
                self._only_markers |= {partition: unknown[partition] for partition in self._read(unknown)}
            return {partition for partition, span in spans.items() if self._only_markers.get(partition) == span}

    def _read(self, spans: dict[Partition, Span]) -> set[Partition]:
        self._consumer.assign([TopicPartition(*partition, start) for partition, (start, _) in spans.items()])
        empty: set[Partition] = set()
        left, deadline = set(spans), time.monotonic() + TIMEOUT_SECONDS
        while left and (remaining := deadline - time.monotonic()) > 0:
            for message in self._consumer.consume(len(left), min(remaining, 0.1)):
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    continue
                # A message that was read, and the end of a partition, have a place.
                partition = Partition(message.topic(), message.partition())  # type: ignore[arg-type]  # see above
                offset: int = message.offset()  # type: ignore[assignment]  # see above
                if partition in left and (error or offset >= spans[partition][1]):
                    empty.add(partition)
                left.discard(partition)
        self._consumer.unassign()
        return empty


@cache
def reader() -> Reader:
    """The process's reader of remainders."""
    return Reader(clients.assigned_reader("remainder"))
