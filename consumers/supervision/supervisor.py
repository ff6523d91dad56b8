"""Keeps running what the database says shall run: processes as `manage.py run_consumer NAME --slot N` would start them.

It restarts what dies, kills what has gone silent, ends what is no longer wanted, and takes all its children with it
when it ends, however it ends. While PostgreSQL is away it keeps what runs.
"""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import psycopg

from consumers import conf, database
from consumers.models import DesiredState
from consumers.supervision.process_launcher import Place, launch

log = logging.getLogger(__name__)

TURN_SECONDS = 0.5
FIRST_DELAY, LAST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
"""A process that lived so long is restarted without a penalty."""
GRACE_SECONDS = 3.0
"""Beyond the processes' own shutdown deadline, until they are killed."""

_CONTROLS = "SELECT stage, desired_state, processes FROM consumers_stagecontrol"
_BEATS = "SELECT stage, slot, pid, extract(epoch FROM now() - beat_at)::float FROM consumers_member WHERE host = %s"
_LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"


class AlreadySupervised(Exception):
    """Another supervisor keeps this trail's consumers running on this host."""


@dataclass(slots=True)
class Child:
    """A process of ours, running, ending (`killed_at` is when it will be killed) or waiting to be restarted."""

    process: BaseProcess
    started_at: float
    delay: float = FIRST_DELAY
    killed_at: float | None = None


def wanted_places(controls: Iterable[tuple[str, str, int]]) -> set[Place]:
    """What shall run, from (stage, desired state, processes): paused processes run as well, as members that read
    nothing.
    """
    return {
        Place(stage, slot)
        for stage, desired, processes in controls
        if desired != DesiredState.STOPPED
        for slot in range(1, processes + 1)
    }


def silent(
    beats: Iterable[tuple[str, int, int, float]], pids: dict[Place, int], ages: dict[Place, float], limit: float
) -> set[Place]:
    """Which running processes have not reported for `limit` seconds, from (stage, slot, pid, seconds since the last
    report).

    One that has never reported gets as long from its start.
    """
    reported = {(Place(stage, slot), pid): seconds for stage, slot, pid, seconds in beats}
    return {place for place, pid in pids.items() if min(ages[place], reported.get((place, pid), ages[place])) > limit}


def following_delay(delay: float, lifetime: float) -> float:
    """Seconds to wait before the next restart but one."""
    return FIRST_DELAY if lifetime >= STEADY_SECONDS else min(delay * 2, LAST_DELAY)


@dataclass(slots=True)
class _Database:
    """What the supervisor knows from PostgreSQL, and since when it can read it without interruption."""

    connection: psycopg.Connection | None = None
    since: float = 0.0
    wanted: set[Place] = field(default_factory=set)


class Supervisor:
    """All consumer processes of this host; `run` returns after SIGTERM or SIGINT."""

    def __init__(self, start: Callable[[Place], BaseProcess] = launch, clock: Callable[[], float] = time.monotonic):
        self._start, self._clock = start, clock
        self._host = socket.gethostname()
        self._children: dict[Place, Child] = {}
        self._resting: dict[Place, tuple[float, float]] = {}
        self._database = _Database()
        self._stopping = False

    def run(self) -> None:
        """Raises AlreadySupervised."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        try:
            while not self._stopping:
                self.turn()
                time.sleep(TURN_SECONDS)
        finally:
            self._end_all()

    def turn(self) -> None:
        """Compare once what runs with what shall run."""
        self._reap()
        self._read()
        for place in self._children.keys() - self._database.wanted:
            self._end(place)
        self._kill_overdue()
        for place in sorted(self._database.wanted - self._children.keys()):
            self._start_if_rested(place)

    def _stop(self) -> None:
        self._stopping = True

    # What shall run

    def _read(self) -> None:
        try:
            self._connect()
            self._database.wanted = wanted_places(self._database.connection.execute(_CONTROLS))
            self._kill_silent(self._database.connection.execute(_BEATS, [self._host]).fetchall())
        except psycopg.OperationalError as error:
            log.warning("PostgreSQL is away, what runs keeps running: %s", str(error).strip())
            self._database.connection = None

    def _connect(self) -> None:
        if self._database.connection is None:
            connection = database.connect()
            name = f"consumers of {conf.prefix()} on {self._host}"
            if not connection.execute(_LOCK, [name]).fetchone()[0]:
                raise AlreadySupervised(
                    f"Another supervisor runs the {name}: end it first, or use another AUDIT_PREFIX."
                )
            self._database.connection, self._database.since = connection, self._clock()

    # What runs

    def _reap(self) -> None:
        for place, child in list(self._children.items()):
            status = child.process.exitcode
            if status is not None:
                del self._children[place]
                if child.killed_at is None:
                    self._rest(place, child, status)

    def _rest(self, place: Place, child: Child, status: int) -> None:
        now = self._clock()
        log.warning(
            "%s-%d (pid %d) ended with %d, starts anew in %.1f s", *place, child.process.pid, status, child.delay
        )
        self._resting[place] = now + child.delay, following_delay(child.delay, now - child.started_at)

    def _start_if_rested(self, place: Place) -> None:
        until, delay = self._resting.get(place, (0.0, FIRST_DELAY))
        if self._clock() < until:
            return
        process = self._start(place)
        log.info("%s-%d started (pid %d)", *place, process.pid)
        self._children[place] = Child(process, self._clock(), delay)
        self._resting.pop(place, None)

    def _end(self, place: Place) -> None:
        child = self._children[place]
        if child.killed_at is None:
            log.info("%s-%d ends (pid %d)", *place, child.process.pid)
            child.process.terminate()
            child.killed_at = self._clock() + conf.shutdown_seconds() + GRACE_SECONDS

    def _kill_silent(self, beats: list[tuple[str, int, int, float]]) -> None:
        # While PostgreSQL was away nobody could report: silence counts from its return.
        readable = self._clock() - self._database.since
        pids = {place: child.process.pid for place, child in self._children.items() if child.killed_at is None}
        ages = {place: min(readable, self._clock() - self._children[place].started_at) for place in pids}
        for place in silent(beats, pids, ages, conf.frozen_seconds()):
            log.error("%s-%d (pid %d) has been silent for %.0f s: killed", *place, pids[place], conf.frozen_seconds())
            self._children[place].process.kill()

    def _kill_overdue(self) -> None:
        for place, child in self._children.items():
            if child.killed_at is not None and self._clock() > child.killed_at:
                log.error("%s-%d (pid %d) did not end in time: killed", *place, child.process.pid)
                child.process.kill()

    def _end_all(self) -> None:
        for place in self._children:
            self._end(place)
        while self._children:
            self._kill_overdue()
            self._reap()
            time.sleep(0.05)
