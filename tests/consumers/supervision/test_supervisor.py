"""The supervisor: what shall run runs, and nothing else, whatever dies."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone

from consumers import database
from consumers.models import Member, StageControl
from consumers.supervision.process_launcher import ProcessSlot
from consumers.supervision.supervisor import (
    AlreadySupervised,
    Supervisor,
    delay_after,
    desired_slots,
    unresponsive_slots,
)
from testkit.paths import ROOT
from testkit.waiting import until

RELAY = ProcessSlot("relay", 1)


def test_paused_stages_run_and_stopped_ones_do_not():
    controls = [("relay", "running", 2), ("search", "paused", 1), ("archive", "stopped", 3)]

    assert desired_slots(controls) == {ProcessSlot("relay", 1), ProcessSlot("relay", 2), ProcessSlot("search", 1)}


@pytest.mark.parametrize(
    ("reports", "age", "expected"),
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
def test_a_process_that_does_not_report_is_unresponsive(reports, age, expected):
    assert unresponsive_slots(reports, {RELAY: 10}, {RELAY: age}, 30) == expected


def test_restarts_come_slower_until_one_lives_long():
    assert delay_after(0.5, 1) == 1.0
    assert delay_after(30, 1) == 30
    assert delay_after(30, 61) == 0.5


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
        self.started: list[tuple[ProcessSlot, Sleeper]] = []

    def __call__(self, slot: ProcessSlot) -> Sleeper:
        process = Sleeper()
        self.started.append((slot, process))
        return process

    def alive(self) -> set[ProcessSlot]:
        return {slot for slot, process in self.started if process.poll() is None}

    def of(self, slot: ProcessSlot) -> Sleeper:
        return next(process for known, process in reversed(self.started) if known == slot)


@pytest.fixture
def supervised(fresh_database, monkeypatch):
    """A supervisor of sleepers, with two relay processes wanted."""
    StageControl.objects.create(stage="relay", processes=2)
    sleepers = Sleepers()
    supervisor = Supervisor(sleepers)
    yield supervisor, sleepers
    supervisor.close()


def _reconciling(supervisor, condition) -> None:
    until(lambda: supervisor.reconcile() or condition(), 20)


def test_what_is_wanted_is_started(supervised):
    supervisor, sleepers = supervised

    supervisor.reconcile()

    assert sleepers.alive() == {ProcessSlot("relay", 1), ProcessSlot("relay", 2)}


def test_a_stage_that_has_left_the_table_is_not_started(supervised):
    supervisor, sleepers = supervised
    StageControl.objects.create(stage="json_lines")

    supervisor.reconcile()

    assert {slot.stage for slot in sleepers.alive()} == {"relay"}


def test_what_dies_is_started_anew(supervised):
    supervisor, sleepers = supervised
    supervisor.reconcile()
    sleepers.of(RELAY).kill()

    _reconciling(supervisor, lambda: len(sleepers.started) == 3)

    assert sleepers.alive() == {ProcessSlot("relay", 1), ProcessSlot("relay", 2)}


def test_surplus_processes_end(supervised):
    supervisor, sleepers = supervised
    supervisor.reconcile()
    StageControl.objects.update(processes=1)

    _reconciling(supervisor, lambda: sleepers.alive() == {RELAY})


def test_a_stopped_stage_ends(supervised):
    supervisor, sleepers = supervised
    supervisor.reconcile()
    StageControl.objects.update(desired_state="stopped")

    _reconciling(supervisor, lambda: not sleepers.alive())


class Obedient(subprocess.Popen):
    """A process that ends by itself, as one does that has read that its stage shall stop."""

    def __init__(self):
        super().__init__(["true"])

    @property
    def exitcode(self) -> int | None:
        return self.poll()


def test_a_process_that_ended_as_it_was_asked_to_is_no_crash(fresh_database, caplog):
    StageControl.objects.create(stage="relay")
    started: list[Obedient] = []

    def start(slot: ProcessSlot) -> Obedient:
        started.append(Obedient())
        return started[-1]

    supervisor = Supervisor(start)
    supervisor.reconcile()
    started[0].wait()
    StageControl.objects.update(desired_state="stopped")
    supervisor.reconcile()
    StageControl.objects.update(desired_state="running")
    supervisor.reconcile()

    assert len(started) == 2
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []
    supervisor.close()


def test_what_ignores_sigterm_is_killed_in_time(supervised, monkeypatch):
    supervisor, sleepers = supervised
    monkeypatch.setenv("AUDIT_SHUTDOWN_SECONDS", "0")
    monkeypatch.setattr("consumers.supervision.supervisor.GRACE_SECONDS", 0.2)
    supervisor.reconcile()
    sleepers.of(RELAY).send_signal(signal.SIGSTOP)
    StageControl.objects.update(desired_state="stopped")

    _reconciling(supervisor, lambda: not sleepers.alive())


def test_what_falls_silent_is_killed_and_started_anew(supervised, monkeypatch):
    supervisor, sleepers = supervised
    monkeypatch.setenv("AUDIT_FROZEN_SECONDS", "1")
    StageControl.objects.update(processes=1)
    supervisor.reconcile()
    frozen = sleepers.of(RELAY)
    long_ago = timezone.now() - timedelta(minutes=1)
    Member.objects.using("pipeline").create(
        stage="relay",
        slot=1,
        host=socket.gethostname(),
        pid=frozen.pid,
        state="running",
        started_at=long_ago,
        beat_at=long_ago,
    )

    _reconciling(supervisor, lambda: frozen.poll() is not None)


def test_what_runs_keeps_running_while_postgresql_is_away(supervised, monkeypatch):
    supervisor, sleepers = supervised
    supervisor.reconcile()
    supervisor._connection.close()
    monkeypatch.setattr(database, "connect", _refused)

    supervisor.reconcile()

    assert sleepers.alive() == {ProcessSlot("relay", 1), ProcessSlot("relay", 2)}


def _refused():
    raise psycopg.OperationalError("connection refused")


def test_a_second_supervisor_is_refused(supervised):
    supervisor, _ = supervised
    supervisor.reconcile()

    with pytest.raises(AlreadySupervised, match="Another supervisor"):
        Supervisor(Sleepers()).reconcile()


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
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
