"""One lane at work, in a thread of its own: what stalls it stalls no other."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psycopg
from confluent_kafka import Consumer, KafkaException

from audittrail import contracts
from consumers import conf, database
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.messages import authenticity
from consumers.models import ProcessState
from consumers.relay.keys import STRATEGIES, lane_partitions
from consumers.relay.messages import MessageWriter
from consumers.relay.publisher import Publisher
from consumers.relay.recovery import LaneHalted, Recovery, recovery
from consumers.relay.store import LaneLease, LaneStore, LeaseLost

log = logging.getLogger(__name__)

FIRST_DELAY = 0.2
HELD_BY_ANOTHER = 1.0
PAUSED = 0.5
NUMBER_KEPT = 6 * 3600.0
"""Seconds after which a quiet lane commits its number again; far below Kafka's offsets.retention.minutes of seven
days.
"""
HALTED = 30.0
"""Seconds until a halted lane looks again, in case somebody has put it right."""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """A lane's state as the relay shows it, and why it waits or has halted."""

    state: ProcessState
    reason: str = ""


class LaneWorker(threading.Thread):
    """Publishes one lane until `stop` is called.

    Whatever fails ends this life of the lane; the next begins, after a growing delay, by asking Kafka for the last
    number.
    """

    def __init__(self, lane: int, holder: str, numbers: Consumer, paused: Callable[[], bool]):
        super().__init__(name=f"relay-lane-{lane}", daemon=True)
        self.lane, self.report = lane, LaneReport(ProcessState.STARTING)
        self.lease: LaneLease | None = None
        self.published, self.refused, self.partitions = 0, 0, range(0)
        self._holder, self._numbers, self._paused = holder, numbers, paused
        self._keyring = authenticity.keyring()
        self.turned_at = time.monotonic()
        """When it last began something, by the monotonic clock."""
        self._stopping = threading.Event()
        self._delay = FIRST_DELAY

    def stop(self) -> None:
        """Finish the batch under way, release the lease and end."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self.turned_at = time.monotonic()
            try:
                self._publish_while_leased()
            except LeaseLost:
                self._wait(ProcessState.WAITING, "another process took the lane over", HELD_BY_ANOTHER)
            except LaneHalted as halt:
                log.error("lane %d halts: %s", self.lane, halt)
                self._wait(ProcessState.HALTED, str(halt), HALTED)
            except (NotReady, KafkaException, psycopg.OperationalError) as error:
                log.warning("lane %d waits: %s", self.lane, _describe(error))
                self._retry(_describe(error))
            except Exception as error:
                log.exception("lane %d failed", self.lane)
                self._retry(f"{type(error).__name__}: {error}")
        self.report = LaneReport(ProcessState.STOPPED)

    def _publish_while_leased(self) -> None:
        with database.connect() as connection:
            store = LaneStore(connection, conf.relay_lanes())
            self.lease = store.acquire(self.lane, self._holder)
            if self.lease is None:
                self._wait(ProcessState.WAITING, "another process holds the lane", HELD_BY_ANOTHER)
                return
            publisher = Publisher(self.lane, self._numbers)
            try:
                self._publish_all(store, self.lease, publisher)
            finally:
                publisher.close()
            store.release(self.lease)

    def _publish_all(self, store: LaneStore, lease: LaneLease, publisher: Publisher) -> None:
        progress = store.progress(lease)
        publish = partial(self._publish, store, lease, publisher, self._writer(publisher.partitions()))
        if recovery(progress, publisher.number()) is Recovery.FINISH:
            self.published += store.finish(lease)
        elif progress.rows:
            publish(progress.rows)
        while not self._stopping.is_set():
            begun = self.turned_at = time.monotonic()
            if self._paused():
                self._wait(ProcessState.PAUSED, "", PAUSED)
            elif rows := store.pending(lease, conf.relay_batch_rows(), conf.relay_batch_kilobytes() * 1024):
                publish(rows)
                self._let_rows_gather(begun, rows)
            else:
                self._report_success()
                self._keep_number(store, lease, publisher)
                store.wait(conf.relay_poll_seconds())

    def _let_rows_gather(self, begun: float, rows: Sequence[int]) -> None:
        """Let rows gather for the next batch, unless this one had all it may: what a transaction costs Kafka hardly
        depends on its rows.
        """
        if len(rows) < conf.relay_batch_rows():
            self._stopping.wait(max(0.0, begun + conf.relay_interval_seconds() - time.monotonic()))

    def _keep_number(self, store: LaneStore, lease: LaneLease, publisher: Publisher) -> None:
        """Kafka forgets the offsets of a group without members after a while: a quiet lane commits its number again."""
        if time.monotonic() - publisher.committed_at > NUMBER_KEPT and (done := store.progress(lease).done):
            publisher.publish([], done)

    def _writer(self, partitions: int) -> MessageWriter:
        self.partitions = lane_partitions(self.lane, conf.relay_lanes(), partitions)
        codec, key_of = schema_registry.codec(contracts.RAW), STRATEGIES[conf.key_strategy()]()
        return MessageWriter(conf.raw_topic(), codec, self._keyring, key_of, self.partitions)

    def _publish(
        self, store: LaneStore, lease: LaneLease, publisher: Publisher, writer: MessageWriter, ids: Sequence[int]
    ) -> None:
        valid, messages, refused = writer.write(store.rows(ids))
        number = store.intend(lease, valid, refused)
        self.refused += len(refused)
        if number is not None:
            publisher.publish(messages, number)
            self.published += store.finish(lease)
        self._report_success()

    def _report_success(self) -> None:
        self._delay = FIRST_DELAY
        self.report = LaneReport(ProcessState.RUNNING)

    def _retry(self, reason: str) -> None:
        self._wait(ProcessState.WAITING, reason, self._delay)
        self._delay = min(self._delay * 2, conf.retry_cap_seconds())

    def _wait(self, state: ProcessState, reason: str, seconds: float) -> None:
        self.report = LaneReport(state, reason)
        self._stopping.wait(seconds)


def _describe(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"Kafka: {error.args[0].str()}"
    return str(error).strip() or type(error).__name__
