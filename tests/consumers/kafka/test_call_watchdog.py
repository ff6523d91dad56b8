"""A call that never returns ends its process; any other does not notice."""

import subprocess
import sys
import time

from consumers.kafka.call_watchdog import STUCK, enforced

_STUCK = """
import time
from consumers.kafka import call_watchdog
call_watchdog.GRACE_SECONDS = 0.1
with call_watchdog.enforced(0.1, "a call"):
    time.sleep(60)
"""


def test_a_process_in_a_call_that_never_returns_ends_and_says_where():
    ended = subprocess.run([sys.executable, "-c", _STUCK], capture_output=True, text=True, timeout=30)
    assert ended.returncode == STUCK
    assert "a call did not return" in ended.stderr


def test_a_call_that_returns_is_not_interrupted_afterwards(monkeypatch):
    monkeypatch.setattr("consumers.kafka.call_watchdog.GRACE_SECONDS", 0.1)
    with enforced(0.1, "a call"):
        pass
    time.sleep(0.4)  # were the limit still in force, this process would not live to see the end
