"""The supervisor: what shall run runs, and nothing else, whatever dies."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from consumers.models import Member, StageControl
from consumers.supervision.supervisor import (
    AlreadySupervised,
    Place,
    Supervisor,
    following_delay,
    silent,
    wanted_places,
)
from testkit.consumers.witness import until
from testkit.paths import ROOT

RELAY = Place("relay", 1)


def test_paused_stages_run_and_stopped_ones_do_not():
    controls = [("relay", "running", 2), ("search", "paused", 1), ("archive", "stopped", 3)]

    assert wanted_places(controls) == {Place("relay", 1), Place("relay", 2), Place("search", 1)}


@pytest.mark.parametrize(
    ("beats", "age", "expected"),
    [
        ([("relay", 1, 10, 1.0)], 100, set()),
        ([("relay", 1, 10, 31.0)], 100, {RELAY}),
        ([("relay", 1, 9, 1.0)], 100, {RELAY}),
        ([], 29, set()),
        ([], 31, {RELAY}),
        ([("relay", 1, 10, 500.0)], 5, set()),
    ],
    ids=[
        "reports",
        "silent",
        "only its predecessor reported",
        "just started",
        "never reported",
        "PostgreSQL is just back",
    ],
)
def test_who_is_silent(beats, age, expected):
    assert silent(beats, {RELAY: 10}, {RELAY: age}, 30) == expected


def test_restarts_come_slower_until_one_lives_long():
    assert following_delay(0.5, 1) == 1.0
    assert following_delay(30, 1) == 30
    assert following_delay(30, 61) == 0.5


class Sleeper(subprocess.Popen):
    """A process that only sleeps."""

    def __init__(self):
        super().__init__(["sleep", "600"])

    @property
    def exitcode(self) -> int | None:
        return self.poll()


class Sleepers:
    """Stands in for run_consumer."""

    def __init__(self):
        self.started: list[tuple[Place, Sleeper]] = []

    def __call__(self, place: Place) -> Sleeper:
        process = Sleeper()
        self.started.append((place, process))
        return process

    def alive(self) -> set[Place]:
        return {place for place, process in self.started if process.poll() is None}

    def of(self, place: Place) -> Sleeper:
        return next(process for known, process in reversed(self.started) if known == place)


@pytest.fixture
def supervised(fresh_database, monkeypatch):
    """A supervisor of sleepers, with two relay processes wanted."""
    StageControl.objects.create(stage="relay", processes=2)
    sleepers = Sleepers()
    supervisor = Supervisor(sleepers)
    yield supervisor, sleepers
    supervisor._end_all()
    if supervisor._database.connection:
        supervisor._database.connection.close()


def _turning(supervisor, condition) -> None:
    until(lambda: supervisor.turn() or condition(), 20)


def test_what_is_wanted_is_started(supervised):
    supervisor, sleepers = supervised

    supervisor.turn()

    assert sleepers.alive() == {Place("relay", 1), Place("relay", 2)}


def test_what_dies_is_started_anew(supervised):
    supervisor, sleepers = supervised
    supervisor.turn()
    sleepers.of(RELAY).kill()

    _turning(supervisor, lambda: len(sleepers.started) == 3)

    assert sleepers.alive() == {Place("relay", 1), Place("relay", 2)}


def test_surplus_processes_end(supervised):
    supervisor, sleepers = supervised
    supervisor.turn()
    StageControl.objects.update(processes=1)

    _turning(supervisor, lambda: sleepers.alive() == {RELAY})


def test_a_stopped_stage_ends(supervised):
    supervisor, sleepers = supervised
    supervisor.turn()
    StageControl.objects.update(desired_state="stopped")

    _turning(supervisor, lambda: not sleepers.alive())


def test_what_ignores_sigterm_is_killed_in_time(supervised, monkeypatch):
    supervisor, sleepers = supervised
    monkeypatch.setenv("AUDIT_SHUTDOWN_SECONDS", "0")
    monkeypatch.setattr("consumers.supervision.supervisor.GRACE_SECONDS", 0.2)
    supervisor.turn()
    sleepers.of(RELAY).send_signal(signal.SIGSTOP)
    StageControl.objects.update(desired_state="stopped")

    _turning(supervisor, lambda: not sleepers.alive())


def test_what_falls_silent_is_killed_and_started_anew(supervised, monkeypatch):
    supervisor, sleepers = supervised
    monkeypatch.setenv("AUDIT_FROZEN_SECONDS", "1")
    StageControl.objects.update(processes=1)
    supervisor.turn()
    frozen = sleepers.of(RELAY)
    long_ago = timezone.now() - timedelta(minutes=1)
    Member.objects.create(
        stage="relay",
        slot=1,
        host=socket.gethostname(),
        pid=frozen.pid,
        state="running",
        started_at=long_ago,
        beat_at=long_ago,
    )

    _turning(supervisor, lambda: frozen.poll() is not None)


def test_what_runs_keeps_running_while_postgresql_is_away(supervised, monkeypatch):
    from consumers.supervision import supervisor as module

    supervisor, sleepers = supervised
    supervisor.turn()
    supervisor._database.connection.close()
    monkeypatch.setattr(module.database, "connect", _refused)

    supervisor.turn()

    assert sleepers.alive() == {Place("relay", 1), Place("relay", 2)}


def _refused():
    import psycopg

    raise psycopg.OperationalError("connection refused")


def test_a_second_supervisor_is_refused(supervised):
    supervisor, _ = supervised
    supervisor.turn()

    with pytest.raises(AlreadySupervised, match="Another supervisor"):
        Supervisor(Sleepers()).turn()


def test_sigkill_of_the_supervisor_leaves_no_process(own_trail):
    StageControl.objects.create(stage="relay")
    supervisor = subprocess.Popen([sys.executable, "manage.py", "run_consumers"], cwd=ROOT, env=os.environ.copy())
    try:
        pids = until(
            lambda: list(Member.objects.filter(stage="relay", state="running").values_list("pid", flat=True)),
            what="a running relay",
        )
    finally:
        supervisor.kill()
        supervisor.wait()

    until(lambda: not any(_exists(pid) for pid in pids), 10, "the end of all processes")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
