"""The loop that all stages share: poll, gather, process, deliver.

It pauses its partitions, and keeps polling so that it stays a member, while an admin has paused the stage, while
something outside is away, and when the brake has stopped it. What ends it: a stop, or the loss of its identity to
another process (Fenced).
"""

import contextlib
import logging
import time
from dataclasses import dataclass

from confluent_kafka import Message as KafkaMessage

from consumers import conf
from consumers.dead_letters import wire_format
from consumers.errors import NotReady
from consumers.kafka import clients
from consumers.kafka.schema_registry import schemas
from consumers.messages import tracing
from consumers.models import DesiredState
from consumers.records import Outcome, Partition, Record
from consumers.runtime import delivery, metrics
from consumers.runtime.assignment import Membership
from consumers.runtime.batcher import Batch, Batcher
from consumers.runtime.circuit_breaker import Brake
from consumers.runtime.heartbeat import Control, Heartbeat, Report
from consumers.runtime.stage import Stage

log = logging.getLogger("consumers.runtime.loop")

POLL_SECONDS = 0.1
POLL_RECORDS = 500
CALL_SECONDS = 10.0
FIRST_RETRY_SECONDS = 0.1
FIRST_BEAT_SECONDS = 5.0
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Something outside is away: what, until when to wait, and how long the next wait is."""

    reason: str
    until: float
    following: float


@dataclass(frozen=True, slots=True)
class Halt:
    """The brake has stopped the stage: why, and what was wanted of it at that time."""

    reason: str
    control: Control


class Loop:
    """One process of a stage, in slot 1, 2 …; `run` returns after a stop and raises Fenced."""

    def __init__(self, stage: Stage, slot: int):
        self._stage, self._slot = stage, slot
        member = conf.member(stage.member, slot)
        self._consumer = clients.consumer(stage.group, member)
        self._membership = Membership(self._consumer, stage, self._drop)
        self._delivery = delivery.chosen(self._consumer, stage.name, member, self._remaining)
        self._heartbeat = Heartbeat(stage.name, slot)
        self._batcher = Batcher(stage.max_records, stage.max_seconds, time.monotonic, stage.idle_seconds)
        self._brake = Brake(conf.halt_after())
        self._batch: Batch | None = None
        self._wait: Wait | None = None
        self._halt: Halt | None = None
        self._cleared: Batch | None = None
        self._deadline: float | None = None
        self._started = False
        self._look_at = 0.0
        self._processed = self._dead_letters = 0

    def stop(self) -> None:
        """Finish within the shutdown deadline; safe in a signal handler."""
        self._deadline = self._deadline or time.monotonic() + conf.shutdown_seconds()

    def run(self) -> None:
        """Work until stopped. Raises Fenced."""
        metrics.serve(self._stage.name, self._slot)
        self._heartbeat.start()
        self._heartbeat.heard.wait(FIRST_BEAT_SECONDS)
        try:
            if self._open():
                self._work()
        finally:
            self._consumer.close()
            self._stage.close()
            self._report("stopped")
            self._heartbeat.end(self._heartbeat.report, timeout=2)

    @property
    def partitions(self) -> frozenset[Partition]:
        """Partitions held now."""
        return frozenset(self._membership.owned)

    @property
    def waits_for(self) -> str:
        """Why it waits or has halted; empty when it does neither."""
        return self._halt.reason if self._halt else self._wait.reason if self._wait else ""

    # The start

    def _open(self) -> bool:
        """Get ready to join the group, however long that takes; False when stopped before."""
        while not self._ending():
            try:
                self._prepare()
                self._wait = None
                return True
            except NotReady as error:
                self._postpone(error)
                self._report(self._state())
                time.sleep(max(0.0, min(1.0, self._wait.until - time.monotonic())))
        return False

    def _prepare(self) -> None:
        # First, so that a topic made anew while the stage opens is noticed later.
        self._membership.check_topics()
        self._stage.open()
        self._writer = wire_format.Writer(self._stage.name, schemas())
        self._delivery.ready()

    def _work(self) -> None:
        self._membership.join()
        self._started = True
        while not self._ending():
            self._turn()

    # One turn

    def _turn(self) -> None:
        self._release()
        state = self._state()
        if state == "running":
            self._membership.flow()
        else:
            self._membership.hold()
        self._report(state)
        self._poll(state == "running")
        self._look_at_topics()
        if state in ("running", "waiting") and not self._is_early():
            self._attempt()

    def _state(self) -> str:
        if self._deadline:
            return "stopped"
        if self._halt:
            return "halted"
        if self._heartbeat.control.desired == DesiredState.PAUSED:
            return "paused"
        if self._wait:
            return "waiting"
        return "running" if self._started else "starting"

    def _ending(self) -> bool:
        return self._deadline is not None or self._heartbeat.control.desired == DesiredState.STOPPED

    def _is_early(self) -> bool:
        return self._wait is not None and time.monotonic() < self._wait.until

    def _poll(self, flowing: bool) -> None:
        """Rebalances happen in here."""
        left = self._batcher.seconds_left()
        timeout = min(POLL_SECONDS, left) if flowing and left is not None else POLL_SECONDS
        messages = self._consumer.consume(min(POLL_RECORDS, self._batcher.room or 1), timeout)
        self._batcher.add([_record(message) for message in messages if not self._is_error(message)])

    def _look_at_topics(self) -> None:
        """Now and then also while nothing comes: a member of a topic that is gone may wait for ever."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            with contextlib.suppress(NotReady):
                self._membership.check_topics()

    def _is_error(self, message: KafkaMessage) -> bool:
        error = message.error()
        if error is None:
            return False
        delivery.demand_not_taken_over(error)
        log.warning("%s: %s", self._stage.name, error.str())
        return True

    def _attempt(self) -> None:
        try:
            self._delivery.ready()
            if self._membership.unplaced:
                self._membership.place()
            if self._batch is None and self._batcher.closed():
                self._batch = self._batcher.take()
            if self._batch:
                self._advance(self._batch)
            self._wait = None
        except NotReady as error:
            self._postpone(error)
        except delivery.Evicted as error:
            self._evicted(error)

    def _advance(self, batch: Batch) -> None:
        """Process a batch, unless it was before, and deliver it, unless the brake holds it."""
        if batch.outcome is None:
            self._membership.check_topics()
            batch.outcome = self._process(batch)
        if batch is not self._cleared and (reason := self._brake.holds(batch)):
            self._halt = Halt(reason, self._heartbeat.control)
            log.error("%s halted: %s", self._stage.name, reason)
            return
        self._deliver(batch)

    def _process(self, batch: Batch) -> Outcome:
        with metrics.PROCESS_SECONDS.labels(self._stage.name).time():
            fresh = self._delivery.fresh(batch.records)
            with tracing.processing(self._stage.name, fresh):
                return self._stage.process(fresh) if fresh else Outcome()

    def _deliver(self, batch: Batch) -> None:
        dead = [self._writer.message(rejection) for rejection in batch.outcome.rejections]
        messages = batch.outcome.messages + dead
        with metrics.DELIVER_SECONDS.labels(self._stage.name).time():
            self._delivery.deliver(batch, messages)
        self._brake.passed(batch)
        self._batch = self._cleared = None
        self._count(batch, len(messages))

    # What can come between

    def _postpone(self, error: NotReady) -> None:
        delay = self._wait.following if self._wait else FIRST_RETRY_SECONDS
        if not self._wait or self._wait.reason != str(error):
            log.warning("%s waits: %s", self._stage.name, error)
        metrics.POSTPONED.labels(self._stage.name).inc()
        self._wait = Wait(str(error), time.monotonic() + delay, min(delay * 2, conf.retry_cap_seconds()))

    def _evicted(self, error: delivery.Evicted) -> None:
        log.warning("%s was put out of its group, reads again: %s", self._stage.name, error)
        metrics.EVICTED.labels(self._stage.name).inc()
        starts = self._batcher.starts() | (self._batch.starts() if self._batch else {})
        self._drop(list(starts))
        self._membership.rewind(starts)

    def _release(self) -> None:
        """Go on after a halt once an admin has said so: by saying anew that the stage shall run."""
        control = self._heartbeat.control
        if (
            self._halt
            and control.desired == DesiredState.RUNNING
            and control.changed_at != self._halt.control.changed_at
        ):
            log.warning("%s goes on after its halt", self._stage.name)
            self._halt = None
            self._brake.release()
            self._cleared = self._batch

    def _drop(self, partitions: list[Partition]) -> None:
        self._batcher.drop(partitions)
        if self._batch:
            self._batch = self._batch.without(partitions)
            self._batch = self._batch if self._batch.records else None

    # What it says of itself

    def _report(self, state: str) -> None:
        metrics.STATE.labels(self._stage.name).state(state)
        metrics.PARTITIONS.labels(self._stage.name).set(len(self.partitions))
        self._heartbeat.report = Report(
            state, self.waits_for, sorted(self.partitions), self._processed, self._dead_letters
        )

    def _count(self, batch: Batch, messages: int) -> None:
        name, rejections = self._stage.name, batch.outcome.rejections
        self._processed += len(batch.records)
        self._dead_letters += len(rejections)
        metrics.PROCESSED.labels(name).inc(len(batch.records))
        metrics.WRITTEN.labels(name).inc(messages)
        metrics.BATCH_SIZE.labels(name).observe(len(batch.records))
        for rejection in rejections:
            metrics.REJECTED.labels(name, rejection.reason).inc()

    def _remaining(self) -> float:
        """Seconds that a call to Kafka may take."""
        if self._deadline is None:
            return CALL_SECONDS
        return max(0.1, min(CALL_SECONDS, self._deadline - time.monotonic()))


def _record(message: KafkaMessage) -> Record:
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        dict(message.headers() or ()),
        message.value(),
    )
