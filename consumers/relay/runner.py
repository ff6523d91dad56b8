"""A relay process: its share of the lanes, each in a thread of its own; it renews their leases and reports on them."""

import logging
import signal
import socket
import threading
import time
from collections.abc import Iterable

import psycopg
from confluent_kafka import KafkaException

from consumers import conf, database
from consumers.kafka import clients
from consumers.models import DesiredState, ProcessState
from consumers.records import Partition
from consumers.relay.lane import LaneReport, LaneWorker
from consumers.relay.lanes import ensure_lanes
from consumers.relay.publisher import lane_number
from consumers.relay.store import LanesInUse, renew
from consumers.runtime.heartbeat import Heartbeat, ProcessReport
from consumers.runtime.liveness import TurnDeadline
from consumers.runtime.stage_spec import StageSpec

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
_PROCESSES = "SELECT processes FROM consumers_stagecontrol WHERE stage = %s"


def lanes_of(slot: int, processes: int, lanes: int) -> set[int]:
    """The lanes of process `slot` (from 1) of so many."""
    return {lane for lane in range(lanes) if lane % processes == slot - 1}


def summary(reports: dict[int, LaneReport]) -> LaneReport:
    """The report of a process from those of its lanes."""
    if not reports:
        return LaneReport(ProcessState.RUNNING, "other processes have all lanes")
    worst = ProcessState.worst(report.state for report in reports.values())
    reasons: dict[str, list[str]] = {}
    for lane, report in sorted(reports.items()):
        if report.reason and report.state == worst:
            reasons.setdefault(report.reason, []).append(str(lane))
    return LaneReport(worst, "; ".join(f"lane {', '.join(lanes)}: {reason}" for reason, lanes in reasons.items()))


class Relay:
    """One process of the relay; `slot` counts from 1."""

    def __init__(self, stage: str, slot: int):
        self._stage, self._slot = stage, slot
        self._holder = f"{socket.gethostname()}/relay-{slot}"
        self._numbers = clients.offsets_only(conf.relay_group())
        self._heartbeat = Heartbeat(stage, slot)
        self._workers: dict[int, LaneWorker] = {}
        self._stopping = threading.Event()
        self._connection: psycopg.Connection | None = None
        self._published = self._refused = 0

    def run(self) -> None:
        """Work until SIGTERM, SIGINT, or until the stage is stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self._heartbeat.begin()
        deadline = TurnDeadline(conf.turn_seconds())
        try:
            while not self._ending():
                deadline.turned(min((worker.turned_at for worker in self._workers.values()), default=None))
                self._try_to_manage_lanes()
                self._stopping.wait(CHECK_SECONDS)
        finally:
            self._end()
            deadline.lift()

    def _try_to_manage_lanes(self) -> None:
        try:
            self._manage_lanes()
        except LanesInUse as error:
            log.error("%s", error)
            self._give_up(LaneReport(ProcessState.HALTED, str(error)))
        except KafkaException as error:
            self._give_up(LaneReport(ProcessState.WAITING, f"Kafka: {error.args[0].str()}"))
        except psycopg.OperationalError as error:
            log.warning("PostgreSQL is away: %s", str(error).strip())
            self._give_up(LaneReport(ProcessState.WAITING, "PostgreSQL is away"))

    def _give_up(self, report: LaneReport) -> None:
        self._report(report)
        self._disconnect()

    def _manage_lanes(self) -> None:
        if self._connection is None:
            self._connection = database.connect()
            ensure_lanes(self._connection, conf.relay_lanes(), lambda lane: lane_number(self._numbers, lane))
        processes = (self._connection.execute(_PROCESSES, [self._stage]).fetchone() or (1,))[0]
        self._assign(lanes_of(self._slot, max(processes, self._slot), conf.relay_lanes()))
        renew(self._connection, [worker.lease for worker in self._workers.values() if worker.lease])
        self._report(summary({lane: worker.report for lane, worker in self._workers.items()}))

    def _assign(self, lanes: Iterable[int]) -> None:
        for lane, worker in list(self._workers.items()):
            if lane not in lanes:
                worker.stop()
            if not worker.is_alive():
                self._published += worker.published
                self._refused += worker.refused
                del self._workers[lane]
        for lane in set(lanes) - set(self._workers):
            self._workers[lane] = LaneWorker(lane, self._holder, self._numbers, self._paused)
            self._workers[lane].start()

    def _ending(self) -> bool:
        return self._stopping.is_set() or self._heartbeat.control.desired == DesiredState.STOPPED

    def _paused(self) -> bool:
        return self._heartbeat.control.desired == DesiredState.PAUSED

    def _report(self, report: LaneReport) -> None:
        workers = self._workers.values()
        self._heartbeat.report = ProcessReport(
            state=report.state,
            reason=report.reason,
            partitions=[Partition(conf.raw_topic(), number) for worker in workers for number in worker.partitions],
            processed=self._published + sum(worker.published for worker in workers),
            dead_letters=self._refused + sum(worker.refused for worker in workers),
        )

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.stop()
        deadline = time.monotonic() + conf.shutdown_seconds()
        for worker in self._workers.values():
            worker.join(max(0, deadline - time.monotonic()))
        self._report(LaneReport(ProcessState.STOPPED))
        self._heartbeat.end(self._heartbeat.report, timeout=2)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run(spec: StageSpec, slot: int) -> None:
    """Run one process of the relay until SIGTERM, SIGINT, or until the stage is stopped."""
    Relay(spec.name, slot).run()
