"""Ends a process whose loop has stopped turning, whatever call it hangs in.

The interpreter's own watchdog (faulthandler) waits in C: it needs neither the main thread nor the interpreter's lock.
The supervisor starts the process anew.
"""

import faulthandler
import time


class TurnDeadline:
    """Every turn of a loop must begin within so many seconds of the one before."""

    def __init__(self, seconds: float):
        self._seconds = seconds

    def turned(self, at: float | None = None) -> None:
        """A turn has begun, now or at that moment of the monotonic clock. If no other does in time, the stacks of all
        threads are written to stderr, and the process ends with status 1.
        """
        elapsed = 0.0 if at is None else time.monotonic() - at
        faulthandler.dump_traceback_later(max(0.001, self._seconds - elapsed), exit=True)

    @staticmethod
    def lift() -> None:
        """The loop has ended."""
        faulthandler.cancel_dump_traceback_later()
