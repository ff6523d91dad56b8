"""The loop that all stages share: poll, gather, process, deliver.

It pauses its partitions, and keeps polling so that it stays a member, while an admin has paused the stage, while
something outside is away, and when the circuit breaker has halted it. What ends it: a stop, or the loss of its identity
to another process (Fenced).
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
from consumers.models import DesiredState, ProcessState
from consumers.records import Message, Outcome, Partition, Record, Rejection
from consumers.runtime import delivery, metrics
from consumers.runtime.assignment import Assignment, TopicIds
from consumers.runtime.backoff import Backoff
from consumers.runtime.batcher import Batch, Batcher
from consumers.runtime.circuit_breaker import CircuitBreaker
from consumers.runtime.clock import Clock
from consumers.runtime.heartbeat import Control, ControlChannel
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
    topic_ids: TopicIds
    shutdown: Shutdown
    clock: Clock


@dataclass(frozen=True, slots=True)
class Halt:
    """The circuit breaker has stopped the stage: why, and what was wanted of the stage at that time."""

    reason: str
    control: Control


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
        self._circuit_breaker = CircuitBreaker(conf.halt_after())
        self._backoff = Backoff(self._clock.monotonic)
        self._progress = Progress(stage.name)
        self._batch: Batch | None = None
        self._halt: Halt | None = None
        self._has_joined = False
        self._next_topic_check = 0.0

    @property
    def partitions(self) -> frozenset[Partition]:
        """Partitions held now."""
        return frozenset(self._assignment.owned)

    @property
    def waits_for(self) -> str:
        """Why it waits or has halted; empty when it does neither."""
        return self._halt.reason if self._halt else self._backoff.reason

    def stop(self) -> None:
        """Finish within the shutdown deadline; safe in a signal handler."""
        self._with.shutdown.request()

    def run(self) -> None:
        """Work until stopped. Raises Fenced."""
        self._control.begin()
        try:
            while not self._is_ending():
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
        self._leave_halt()
        state = self._state()
        if state is ProcessState.RUNNING:
            self._assignment.resume_fetching()
        else:
            self._assignment.pause_fetching()
        self._report(state)
        self._poll(state is ProcessState.RUNNING)
        self._check_topics_at_times()
        if state in (ProcessState.RUNNING, ProcessState.WAITING) and not self._backoff.seconds_left():
            self._attempt()

    def _state(self) -> ProcessState:
        if self._with.shutdown.requested:
            return ProcessState.STOPPED
        if self._halt:
            return ProcessState.HALTED
        if self._control.control.desired == DesiredState.PAUSED:
            return ProcessState.PAUSED
        if self._backoff.active:
            return ProcessState.WAITING
        return ProcessState.RUNNING if self._has_joined else ProcessState.STARTING

    def _is_ending(self) -> bool:
        return self._with.shutdown.requested or self._control.control.desired == DesiredState.STOPPED

    def _poll(self, is_fetching: bool) -> None:
        """Rebalances happen in here."""
        left = self._batcher.seconds_left()
        timeout = min(POLL_SECONDS, left) if is_fetching and left is not None else POLL_SECONDS
        messages = self._consumer.consume(min(POLL_RECORDS, self._batcher.room or 1), timeout)
        self._batcher.add([_record(message) for message in messages if not self._is_error(message)])

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
        """Process a batch, unless it was before, and deliver it, unless the circuit breaker blocks it."""
        if batch.outcome is None:
            self._assignment.check_topics()
            batch.outcome = self._process(batch)
        if not batch.is_released and (reason := self._circuit_breaker.blocks(batch)):
            self._halt = Halt(reason, self._control.control)
            log.error("%s halted: %s", self._stage.name, reason)
            return
        self._deliver(batch)

    def _process(self, batch: Batch) -> Outcome:
        with metrics.PROCESS_SECONDS.labels(self._stage.name).time():
            fresh = self._delivery.fresh(batch.records)
            with tracing.processing(self._stage.name, fresh):
                return self._stage.process(fresh) if fresh else Outcome()

    def _deliver(self, batch: Batch) -> None:
        dead = [self._dead_letter_writer.message(rejection) for rejection in batch.result.rejections]
        messages = batch.result.messages + dead
        with metrics.DELIVER_SECONDS.labels(self._stage.name).time():
            self._delivery.deliver(batch, messages)
        if batch.is_released:
            # What an operator has let through does not count against what comes after it.
            self._circuit_breaker.reset()
        else:
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
        self._drop(list(starts))
        self._assignment.rewind(starts)

    def _leave_halt(self) -> None:
        """Leave the halted state after an operator's resume: a request to run that is younger than the halt."""
        control = self._control.control
        if (
            self._halt
            and control.desired == DesiredState.RUNNING
            and control.changed_at != self._halt.control.changed_at
        ):
            log.warning("%s goes on after its halt", self._stage.name)
            self._halt = None
            self._circuit_breaker.reset()
            if self._batch:
                self._batch.is_released = True

    def _drop(self, partitions: list[Partition]) -> None:
        self._batcher.drop(partitions)
        if self._batch:
            self._batch = self._batch.without(partitions)
            self._batch = self._batch if self._batch.records else None

    def _report(self, state: ProcessState) -> None:
        self._control.report = self._progress.report(state, self.waits_for, self.partitions)


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
