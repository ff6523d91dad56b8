"""Processes known by pid and birth."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from stack import processes
from stack.processes import Process


@pytest.fixture
def child():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def identity(child) -> Process:
    return living(child.pid)


def living(pid: int) -> Process:
    """A process that runs."""
    process = processes.identify(pid)
    assert process is not None
    return process


def test_a_process_is_signalled(child, identity):
    identity.signal(signal.SIGTERM)
    assert child.wait(5) == -signal.SIGTERM


def test_a_reused_pid_is_never_signalled(child, identity):
    earlier = replace(identity, birth="another-boot:1")
    earlier.signal(signal.SIGKILL)
    assert not earlier.alive
    identity.signal(signal.SIGTERM)
    assert child.wait(5) == -signal.SIGTERM, "the first signal to arrive must be the one meant for it"


def test_a_recorded_process_is_recalled(identity, tmp_path):
    processes.record(identity, tmp_path / "pid")
    assert processes.recall(tmp_path / "pid") == identity


def test_a_process_that_has_ended_is_not_recalled(child, identity, tmp_path):
    processes.record(identity, tmp_path / "pid")
    child.kill()
    assert identity.wait(5)
    assert processes.recall(tmp_path / "pid") is None


def test_a_zombie_is_not_alive(child, identity):
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '{"pid": 1}'])
def test_a_damaged_record_is_no_process(tmp_path, content):
    (tmp_path / "pid").write_text(content)
    assert processes.recall(tmp_path / "pid") is None


def test_waiting_for_a_living_process_ends_in_time(identity):
    assert not identity.wait(0.01)


def test_descendants_are_found():
    code = "import subprocess; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); child.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        found = living(os.getpid()).descendants()
        assert {parent.pid, grandchild} <= {process.pid for process in found}
        for process in found:
            if process.pid in (parent.pid, grandchild):
                process.signal(signal.SIGKILL)


def test_memory_counts_descendants():
    assert living(os.getpid()).memory() > 1_000_000
