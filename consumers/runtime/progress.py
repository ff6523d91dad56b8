"""What a process has done since its start, for its report and its metrics."""

from collections.abc import Collection, Sequence

from consumers.models import ProcessState
from consumers.records import Partition
from consumers.runtime import metrics
from consumers.runtime.batcher import Batch
from consumers.runtime.circuit_breaker import Halt
from consumers.runtime.heartbeat import ProcessReport


class Progress:
    """Counts of one process of a stage."""

    def __init__(self, stage: str):
        self._stage = stage
        self._processed = self._dead_letters = 0

    def record_delivered(self, batch: Batch, messages: int) -> None:
        """Count a delivered batch and the messages written for it."""
        name, rejections = self._stage, batch.result.rejections
        self._processed += len(batch.records)
        self._dead_letters += len(rejections)
        metrics.PROCESSED.labels(name).inc(len(batch.records))
        metrics.WRITTEN.labels(name).inc(messages)
        metrics.BATCH_SIZE.labels(name).observe(len(batch.records))
        for rejection in rejections:
            metrics.REJECTED.labels(name, rejection.reason).inc()

    def report(
        self, state: ProcessState, reason: str, partitions: Collection[Partition], halts: Sequence[Halt]
    ) -> ProcessReport:
        """The report as of now; state and partitions go to the metrics, too."""
        metrics.STATE.labels(self._stage).state(state)
        metrics.PARTITIONS.labels(self._stage).set(len(partitions))
        return ProcessReport(state, reason, sorted(partitions), self._processed, self._dead_letters, halts)
