"""Exactly once through crashes at every step of the relay's protocol."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest

from audittrail.models import OutboxEvent
from consumers import conf, database
from consumers.kafka import clients
from consumers.relay import lane as lane_module
from consumers.relay.lanes import ensure_lanes
from consumers.relay.recovery import Recovery
from consumers.relay.store import LaneStore
from testkit.consumers.witness import captured, faults, pending, published, some_articles, writers
from testkit.paths import ROOT
from testkit.waiting import until

pytestmark = pytest.mark.timeout(180)


_STEADY = ("produce", "list_topics", "purge", "pending", "wait", "acquire")
"""Steps without crashes: those that would hide the others, being many."""


class Crash(Exception):
    """The process ends here."""


class Crashing:
    """Does what `inner` does, but now and then ends before or after it."""

    def __init__(self, inner, crash):
        self._inner, self._crash = inner, crash

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found) or name in _STEADY:
            return found

        def step(*args, **kwargs):
            self._crash(f"before {name}")
            result = found(*args, **kwargs)
            self._crash(f"after {name}")
            return result

        return step


class Crashes:
    """Rolls a die at each step while `active`; counts the crashes by step."""

    def __init__(self, seed: int):
        self.active, self._chance = True, random.Random(seed)
        self.seen: dict[str, int] = {}

    def __call__(self, step: str) -> None:
        if self.active and self._chance.random() < 0.03:
            self.seen[step] = self.seen.get(step, 0) + 1
            raise Crash(step)


@pytest.fixture
def crashes(monkeypatch):
    """Lanes whose store and producer crash now and then."""
    crashes = Crashes(seed=7)

    def make(*args, make=clients.transactional_producer, **settings):
        return Crashing(make(*args, **settings), crashes)

    monkeypatch.setattr(clients, "transactional_producer", make)
    monkeypatch.setattr(lane_module, "LaneStore", lambda *args: Crashing(LaneStore(*args), crashes))
    monkeypatch.setattr(lane_module, "FIRST_DELAY", 0.01)
    monkeypatch.setenv("AUDIT_RETRY_CAP", "0.05")
    monkeypatch.setenv("AUDIT_RELAY_INTERVAL", "0.01")
    return crashes


def _relay_through(crashes: Crashes, enough: Callable[[], bool]) -> None:
    """Two lanes at work while articles change, until there were enough crashes; then without until the outbox is
    drained.
    """
    with database.connect() as connection:
        ensure_lanes(connection, conf.relay_lanes(), lambda lane: None)
    numbers = clients.offsets_only(conf.relay_group())
    lanes = [lane_module.LaneWorker(number, "test", numbers, lambda: False) for number in range(conf.relay_lanes())]
    for worker in lanes:
        worker.start()
    with writers(some_articles(40)):
        until(enough, what=f"enough crashes: {crashes.seen}", seconds=90)
    crashes.active = False
    until(lambda: not pending(), what="a drained outbox")
    for worker in lanes:
        worker.stop()
        worker.join()


def test_crashes_at_every_step_lose_double_and_disorder_nothing(own_trail, crashes, monkeypatch):
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")

    _relay_through(crashes, lambda: len(crashes.seen) >= 10 and sum(crashes.seen.values()) >= 40)

    assert faults(published(), captured()) == {"lost": 0, "doubled": 0, "disordered": 0}


def test_the_witness_sees_doubles_where_the_batch_number_is_ignored(own_trail, crashes, monkeypatch):
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    monkeypatch.setattr(lane_module, "recovery", lambda progress, number: Recovery.PUBLISH)

    # Committed in Kafka and not yet noted in PostgreSQL: only the batch number tells that it is published.
    _relay_through(crashes, lambda: "after commit_transaction" in crashes.seen)

    assert faults(published(), captured())["doubled"] > 0


def _marked() -> int:
    """Events that the outbox knows to be published."""
    return OutboxEvent.objects.exclude(published_at=None).count()


def _relay_process() -> subprocess.Popen:
    command = [sys.executable, "manage.py", "run_consumer", "relay", "--slot", "1"]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ.copy())


def _moved_on_or_ended(marked: int, process: subprocess.Popen) -> bool:
    return _marked() > marked or process.poll() is not None


def test_killing_the_process_again_and_again_changes_nothing(own_trail):
    chance = random.Random(11)
    with writers(some_articles(40)):
        for _ in range(6):
            process = _relay_process()
            until(partial(_moved_on_or_ended, _marked(), process), what="a relay at work")
            assert process.poll() is None, "the relay ended by itself"
            time.sleep(chance.random())
            process.send_signal(signal.SIGKILL)
            process.wait()
    process = _relay_process()
    try:
        until(lambda: not pending(), what="a drained outbox")
    finally:
        process.terminate()
        process.wait(20)

    assert process.returncode == 0
    assert faults(published(), captured()) == {"lost": 0, "doubled": 0, "disordered": 0}
