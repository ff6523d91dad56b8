"""The loop that all stages share: poll, gather, process, deliver.

It pauses its partitions, and keeps polling so that it stays a member, while an admin has paused the stage and while
something outside is away. A partition that the circuit breaker has halted is paused until an admin releases it; the
others go on. What ends it: a stop, or the loss of its identity to another process (Fenced).
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Message as KafkaMessage

from consumers import conf
from consumers.errors import Evicted, NotReady
from consumers.kafka.error_codes import raise_if_fenced
from consumers.kafka.protocols import GroupConsumer
from consumers.messages import tracing
from consumers.messages.authenticity import Keyring
from consumers.models import DesiredState, ProcessState
from consumers.records import Message, Outcome, Partition, Record, Rejection
from consumers.runtime import delivery, metrics
from consumers.runtime.assignment import Assignment, TopicIds
from consumers.runtime.backoff import Backoff
from consumers.runtime.batcher import Batch, Batcher
from consumers.runtime.circuit_breaker import CircuitBreaker, Halt, Limits
from consumers.runtime.clock import Clock
from consumers.runtime.heartbeat import ControlChannel
from consumers.runtime.progress import Progress
from consumers.runtime.shutdown import Shutdown
from consumers.runtime.stage import Stage

log = logging.getLogger("consumers.runtime.loop")

POLL_SECONDS = 0.1
POLL_RECORDS = 500
LONGEST_SLEEP_SECONDS = 1.0
TOPIC_CHECK_SECONDS = 5.0
LAST_REPORT_SECONDS = 2.0


class DeadLetterWriter(Protocol):
    """Turns a rejection into a message."""

    def message(self, rejection: Rejection) -> Message:
        """Raises NotReady."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collaborators:
    """What a loop works with: consumers.runtime.process makes the real ones, tests make others."""

    consumer: GroupConsumer
    delivery: delivery.Delivery
    control: ControlChannel
    make_dead_letter_writer: Callable[[], DeadLetterWriter]
    """Raises NotReady while it cannot be made."""
    keyring: Keyring
    topic_ids: TopicIds
    shutdown: Shutdown
    clock: Clock
    turned: Callable[[], None] = lambda: None
    """Is called at the beginning of each turn."""


class Loop:
    """One process of a stage. `run` is all that a process calls; tests take it turn by turn."""

    def __init__(self, stage: Stage, collaborators: Collaborators):
        self._stage, self._with = stage, collaborators
        self._clock = collaborators.clock
        self._consumer = collaborators.consumer
        self._delivery = collaborators.delivery
        self._control = collaborators.control
        self._assignment = Assignment(self._consumer, stage, self._drop, collaborators.topic_ids)
        self._batcher = Batcher(stage.max_records, stage.max_seconds, self._clock.monotonic, stage.idle_seconds)
        self._circuit_breaker = CircuitBreaker(Limits(conf.halt_after(), conf.halt_share()))
        self._backoff = Backoff(self._clock.monotonic)
        self._progress = Progress(stage.name)
        self._batch: Batch | None = None
        self._halts: dict[Partition, Halt] = {}
        self._has_joined = False
        self._next_topic_check = 0.0

    @property
    def partitions(self) -> frozenset[Partition]:
        """Partitions held now."""
        return frozenset(self._assignment.owned)

    @property
    def waits_for(self) -> str:
        """Why it waits or has halted; empty when it does neither."""
        return self._backoff.reason or "; ".join(map(str, self._halts.values()))

    def stop(self) -> None:
        """Finish within the shutdown deadline; safe in a signal handler."""
        self._with.shutdown.request()

    def run(self) -> None:
        """Work until stopped. Raises Fenced."""
        self._control.begin()
        try:
            while not self._is_ending():
                self._with.turned()
                self.turn()
        finally:
            self.close()

    def turn(self) -> None:
        """Poll, gather, and try to process and deliver; before the group is joined, try to join it. Raises Fenced."""
        if self._has_joined:
            self._work()
        else:
            self._start()

    def close(self) -> None:
        """Leave everything as it is committed, and say so."""
        self._consumer.close()
        self._stage.close()
        self._report(ProcessState.STOPPED)
        self._control.end(self._control.report, LAST_REPORT_SECONDS)

    # The start

    def _start(self) -> None:
        try:
            self._prepare()
        except NotReady as error:
            self._postpone(error)
            self._report(self._state())
            self._clock.sleep(min(LONGEST_SLEEP_SECONDS, self._backoff.seconds_left()))
        else:
            self._backoff.reset()
            self._assignment.join()
            self._has_joined = True

    def _prepare(self) -> None:
        # First, so that a topic made again while the stage opens is noticed later.
        self._assignment.check_topics()
        self._stage.open()
        self._dead_letter_writer = self._with.make_dead_letter_writer()
        self._delivery.ready()

    # One turn

    def _work(self) -> None:
        self._let_go_of_released()
        state = self._state()
        is_fetching = state in (ProcessState.RUNNING, ProcessState.HALTED)
        if is_fetching:
            self._assignment.resume_fetching()
        else:
            self._assignment.pause_fetching()
        self._report(state)
        self._poll(is_fetching)
        self._check_topics_at_times()
        if (is_fetching or state is ProcessState.WAITING) and not self._backoff.seconds_left():
            self._attempt()

    def _state(self) -> ProcessState:
        if self._with.shutdown.requested:
            return ProcessState.STOPPED
        if self._control.control.desired == DesiredState.PAUSED:
            return ProcessState.PAUSED
        if self._backoff.active:
            return ProcessState.WAITING
        if self._halts:
            return ProcessState.HALTED
        return ProcessState.RUNNING if self._has_joined else ProcessState.STARTING

    def _is_ending(self) -> bool:
        return self._with.shutdown.requested or self._control.control.desired == DesiredState.STOPPED

    def _poll(self, is_fetching: bool) -> None:
        """Rebalances happen in here."""
        left = self._batcher.seconds_left()
        timeout = min(POLL_SECONDS, left) if is_fetching and left is not None else POLL_SECONDS
        messages = self._consumer.consume(min(POLL_RECORDS, self._batcher.room or 1), timeout)
        records = [_record(message) for message in messages if not self._is_error(message)]
        if self._halts:  # what was fetched before the halt
            records = [record for record in records if record.source not in self._halts]
        self._batcher.add(records)

    def _is_error(self, message: KafkaMessage) -> bool:
        error = message.error()
        if error is None:
            return False
        raise_if_fenced(error)
        log.warning("%s: %s", self._stage.name, error.str())
        return True

    def _check_topics_at_times(self) -> None:
        """Also while nothing comes: a member of a topic that is gone may wait without end."""
        if self._clock.monotonic() >= self._next_topic_check:
            self._next_topic_check = self._clock.monotonic() + TOPIC_CHECK_SECONDS
            with contextlib.suppress(NotReady):
                self._assignment.check_topics()
                self._assignment.rejoin_if_given_nothing()

    def _attempt(self) -> None:
        try:
            self._delivery.ready()
            if self._assignment.unplaced:
                self._assignment.start_unplaced()
            if self._batch is None and self._batcher.closed():
                self._batch = self._batcher.take()
            if self._batch:
                self._advance(self._batch)
            self._backoff.reset()
        except NotReady as error:
            self._postpone(error)
        except Evicted as error:
            self._read_again(error)

    def _advance(self, batch: Batch) -> None:
        """Process a batch, unless it was before, and deliver it; partitions that the circuit breaker halts are left out
        of it.
        """
        if batch.outcome is None:
            self._assignment.check_topics()
            batch.outcome = self._process(batch)
            if poisoned := self._circuit_breaker.poisoned(batch):
                self._halt(batch, poisoned)
                return
        self._deliver(batch)

    def _halt(self, batch: Batch, poisoned: dict[Partition, str]) -> None:
        """Read these partitions no further; what the batch has of the others is processed again."""
        for partition, reason in poisoned.items():
            halt = self._halts[partition] = self._halt_of(batch, partition, reason)
            log.error("%s: %s", self._stage.name, halt)
        self._assignment.hold(poisoned)
        self._forget_records(list(poisoned))

    def _halt_of(self, batch: Batch, partition: Partition, reason: str) -> Halt:
        offsets = [record.offset for record in batch.records if record.source == partition]
        rejected = sum(rejection.record.source == partition for rejection in batch.result.rejections)
        topic_id = self._assignment.topic_id(partition.topic)
        return Halt(
            partition.topic, topic_id, partition.number, offsets[0], offsets[-1], len(offsets), rejected, reason
        )

    def _process(self, batch: Batch) -> Outcome:
        with metrics.PROCESS_SECONDS.labels(self._stage.name).time():
            # First of all: of two records of one id only the first is fresh, and that might be the forged one.
            authentic, refused = self._with.keyring.sort(batch.records)
            fresh = self._delivery.fresh(authentic)
            with tracing.processing(self._stage.name, fresh):
                outcome = self._stage.process(fresh) if fresh else Outcome()
        if refused:
            log.error(
                "%s: messages that are not ours: %d, the first: %s", self._stage.name, len(refused), refused[0].detail
            )
        outcome.rejections += refused
        return outcome

    def _deliver(self, batch: Batch) -> None:
        dead = [self._dead_letter_writer.message(rejection) for rejection in batch.result.rejections]
        messages = batch.result.messages + dead
        for message in messages:
            self._with.keyring.sign(message)
        with metrics.DELIVER_SECONDS.labels(self._stage.name).time():
            self._delivery.deliver(batch, messages)
        self._circuit_breaker.record_delivered(batch)
        self._progress.record_delivered(batch, len(messages))
        self._batch = None

    # What can come between

    def _postpone(self, error: NotReady) -> None:
        if self._backoff.record_failure(str(error)):
            log.warning("%s waits: %s", self._stage.name, error)
        metrics.POSTPONED.labels(self._stage.name).inc()

    def _read_again(self, error: Evicted) -> None:
        """Drop what the group has taken away, and read it again where it is still owned."""
        log.warning("%s was put out of its group, reads again: %s", self._stage.name, error)
        metrics.EVICTED.labels(self._stage.name).inc()
        starts = self._batcher.starts() | (self._batch.starts() if self._batch else {})
        self._forget_records(list(starts))
        self._assignment.rewind(starts)

    def _let_go_of_released(self) -> None:
        """Read on where an admin has released a halt: its batch passes, whatever is rejected of it."""
        releases = self._control.control.releases
        for partition, halt in list(self._halts.items()):
            if releases.get((halt.topic_id, partition.number), -1) >= halt.last_offset:
                log.warning("%s: %s/%d goes on after its halt", self._stage.name, *partition)
                del self._halts[partition]
                self._circuit_breaker.release(partition, halt.last_offset)
                self._assignment.let_go(partition, halt.first_offset)

    def _drop(self, partitions: list[Partition]) -> None:
        self._forget_records(partitions)
        self._circuit_breaker.forget(partitions)
        for partition in partitions:
            self._halts.pop(partition, None)

    def _forget_records(self, partitions: list[Partition]) -> None:
        self._batcher.drop(partitions)
        if self._batch:
            self._batch = self._batch.without(partitions)
            self._batch = self._batch if self._batch.records else None

    def _report(self, state: ProcessState) -> None:
        halts = list(self._halts.values())
        self._control.report = self._progress.report(state, self.waits_for, self.partitions, halts)


def _record(message: KafkaMessage) -> Record:
    # Only messages that are errors lack a topic, a partition or an offset.
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    return Record(
        topic,  # type: ignore[arg-type]  # see above
        partition,  # type: ignore[arg-type]  # see above
        offset,  # type: ignore[arg-type]  # see above
        message.timestamp()[1],
        message.key(),
        dict(message.headers() or ()),  # type: ignore[arg-type]  # what is read has bytes in its headers
        message.value(),
    )
