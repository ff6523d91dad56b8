"""Waiting for a condition with a deadline; of use without Django, too."""

import time
from collections.abc import Callable

DEADLINE = 60


def until(condition: Callable[[], object], seconds: float = DEADLINE, what: str = "the condition"):
    """The condition's first true value. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.05)
    return value
