"""Keeps running what the database says shall run: processes as `manage.py run_consumer NAME --slot N` would start them.

It restarts what dies, kills what no longer reports, ends what is no longer wanted, and takes all its children with it
when it ends, however it ends. While PostgreSQL is away it keeps what runs.
"""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import psycopg

from consumers import conf, database, stages
from consumers.models import DesiredState
from consumers.supervision.process_launcher import ProcessSlot, launch

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 0.5
FIRST_DELAY, LAST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that lived so long is restarted without a penalty."""
GRACE_SECONDS = 3.0
"""Beyond the processes' own shutdown deadline, until they are killed."""

_CONTROLS = "SELECT stage, desired_state, processes FROM consumers_stagecontrol"
_REPORTS = "SELECT stage, slot, pid, extract(epoch FROM now() - beat_at)::float FROM consumers_member WHERE host = %s"
_LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"

ControlRow = tuple[str, str, int]
"""Stage, its desired state, and in how many processes it shall run."""
ReportRow = tuple[str, int, int, float]
"""Stage, slot and pid of a process, and seconds since its last report."""


class AlreadySupervised(Exception):
    """Another supervisor keeps this trail's consumers running on this host."""


class ChildProcess(Protocol):
    """What the supervisor needs of a process, as multiprocessing has it."""

    @property
    def pid(self) -> int | None: ...
    @property
    def exitcode(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(slots=True)
class Child:
    """A process of ours that runs, or ends: then it will be killed at `killed_at`, on the supervisor's clock."""

    process: ChildProcess
    started_at: float
    restart_delay: float
    killed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """When a process that has died is started again, on the supervisor's clock, and the delay after its next death."""

    at: float
    next_delay: float


def desired_slots(controls: Iterable[ControlRow]) -> set[ProcessSlot]:
    """The processes that shall run; paused ones run as well, as members that read nothing."""
    return {
        ProcessSlot(stage, number)
        for stage, desired, processes in controls
        if desired != DesiredState.STOPPED
        for number in range(1, processes + 1)
    }


def unresponsive_slots(
    reports: Iterable[ReportRow],
    pids: Mapping[ProcessSlot, int | None],
    ages: Mapping[ProcessSlot, float],
    limit: float,
) -> set[ProcessSlot]:
    """Which of the running processes have not reported for `limit` seconds; one that has never reported gets as long
    from its start.
    """
    elapsed: dict[tuple[ProcessSlot, int | None], float] = {
        (ProcessSlot(stage, number), pid): seconds for stage, number, pid, seconds in reports
    }
    return {slot for slot, pid in pids.items() if min(ages[slot], elapsed.get((slot, pid), ages[slot])) > limit}


def delay_after(delay: float, lifetime: float) -> float:
    """Seconds to wait before the restart that follows one delayed by `delay`, of a process that lived so long."""
    return FIRST_DELAY if lifetime >= STEADY_SECONDS else min(delay * 2, LAST_DELAY)


class Supervisor:
    """All consumer processes of this host; `run` returns after SIGTERM or SIGINT."""

    def __init__(
        self, start: Callable[[ProcessSlot], ChildProcess] = launch, clock: Callable[[], float] = time.monotonic
    ):
        self._start, self._clock = start, clock
        self._host = socket.gethostname()
        self._children: dict[ProcessSlot, Child] = {}
        self._restarts: dict[ProcessSlot, Restart] = {}
        self._desired: set[ProcessSlot] = set()
        self._connection: psycopg.Connection | None = None
        self._connected_at = 0.0
        self._stopping = False

    def run(self) -> None:
        """Raises AlreadySupervised."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        try:
            while not self._stopping:
                self.reconcile()
                time.sleep(RECONCILE_SECONDS)
        finally:
            self.close()

    def reconcile(self) -> None:
        """Compare once what runs with what shall run. Raises AlreadySupervised."""
        self._reap()
        self._read_database()
        for slot in self._children.keys() - self._desired:
            self._terminate(slot)
        self._kill_overdue()
        for slot in sorted(self._desired - self._children.keys()):
            self._start_if_due(slot)

    def close(self) -> None:
        """End all children, and wait for them."""
        for slot in self._children:
            self._terminate(slot)
        while self._children:
            self._kill_overdue()
            self._reap()
            time.sleep(0.05)
        if self._connection is not None:
            self._connection.close()

    def _stop(self) -> None:
        self._stopping = True

    # What shall run

    def _read_database(self) -> None:
        try:
            self._connection = connection = self._connection or self._connect()
            known = stages.table()
            self._desired = {slot for slot in desired_slots(connection.execute(_CONTROLS)) if slot.stage in known}
            self._kill_unresponsive(connection.execute(_REPORTS, [self._host]).fetchall())
        except psycopg.OperationalError as error:
            log.warning("PostgreSQL is away, what runs keeps running: %s", str(error).strip())
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        connection = database.connect()
        name = f"consumers of {conf.prefix()} on {self._host}"
        if connection.execute(_LOCK, [name]).fetchone() != (True,):
            raise AlreadySupervised(f"Another supervisor runs the {name}: end it first, or use another AUDIT_PREFIX.")
        self._connected_at = self._clock()
        return connection

    # What runs

    def _reap(self) -> None:
        for slot, child in list(self._children.items()):
            status = child.process.exitcode
            if status is not None:
                del self._children[slot]
                if status == 0:
                    log.info("%s-%d has ended as it was asked to (pid %d)", *slot, child.process.pid)
                elif child.killed_at is None:
                    self._schedule_restart(slot, child, status)

    def _schedule_restart(self, slot: ProcessSlot, child: Child, status: int) -> None:
        now, delay = self._clock(), child.restart_delay
        log.warning("%s-%d (pid %d) ended with %d, starts anew in %.1f s", *slot, child.process.pid, status, delay)
        self._restarts[slot] = Restart(now + delay, delay_after(delay, now - child.started_at))

    def _start_if_due(self, slot: ProcessSlot) -> None:
        restart = self._restarts.get(slot, Restart(0.0, FIRST_DELAY))
        if self._clock() < restart.at:
            return
        process = self._start(slot)
        log.info("%s-%d started (pid %d)", *slot, process.pid)
        self._children[slot] = Child(process, self._clock(), restart.next_delay)
        self._restarts.pop(slot, None)

    def _terminate(self, slot: ProcessSlot) -> None:
        child = self._children[slot]
        if child.killed_at is None:
            log.info("%s-%d ends (pid %d)", *slot, child.process.pid)
            child.process.terminate()
            child.killed_at = self._clock() + conf.shutdown_seconds() + GRACE_SECONDS

    def _kill_unresponsive(self, reports: list[ReportRow]) -> None:
        # While PostgreSQL was away nobody could report: silence counts from its return.
        readable = self._clock() - self._connected_at
        pids = {slot: child.process.pid for slot, child in self._children.items() if child.killed_at is None}
        ages = {slot: min(readable, self._clock() - self._children[slot].started_at) for slot in pids}
        for slot in unresponsive_slots(reports, pids, ages, conf.frozen_seconds()):
            log.error("%s-%d (pid %d) has been silent for %.0f s: killed", *slot, pids[slot], conf.frozen_seconds())
            self._children[slot].process.kill()

    def _kill_overdue(self) -> None:
        for slot, child in self._children.items():
            if child.killed_at is not None and self._clock() > child.killed_at:
                log.error("%s-%d (pid %d) did not end in time: killed", *slot, child.process.pid)
                child.process.kill()
