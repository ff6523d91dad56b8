"""Commands that run for long: stopped between two saves by Ctrl-C or SIGTERM, and paced."""

import math
import signal
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stopped_by_signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set while the block runs."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Pace:
    """Lets at most `rate` steps a second pass (None: no limit); time lost is not caught up in a burst."""

    def __init__(self, rate: float | None, stop: Event):
        self.gap = 1 / rate if rate else 0.0
        self.stop = stop
        self.due = time.monotonic()

    def wait(self) -> bool:
        """Wait for the next step; False when it is time to stop."""
        now = time.monotonic()
        self.due = max(self.due, now)
        stopped = self.stop.wait(self.due - now) if self.due > now else self.stop.is_set()
        self.due += self.gap
        return not stopped


def positive(number: type[int] | type[float]) -> Callable[[str], int | float]:
    """An argparse type: a number above zero."""

    def parse(text: str) -> int | float:
        try:
            value = number(text)
        except ValueError:
            value = 0
        if not 0 < value < math.inf:
            raise ArgumentTypeError(f"{text!r} is not a number above zero")
        return value

    return parse
