"""The end of a process as one value: whether it was asked for, and how long calls may take from then on."""

from consumers import conf
from consumers.runtime.clock import Clock

CALL_SECONDS = 10.0
"""What a call to Kafka may take while nobody asks for the end."""
SHORTEST_CALL_SECONDS = 0.1


class Shutdown:
    """Not asked for at first; once it is, everything is over after conf.shutdown_seconds."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._deadline: float | None = None

    @property
    def requested(self) -> bool:
        """Whether the process is to end."""
        return self._deadline is not None

    def request(self) -> None:
        """Ask for the end; safe in a signal handler, and a second time changes nothing."""
        self._deadline = self._deadline or self._clock.monotonic() + conf.shutdown_seconds()

    def remaining(self) -> float:
        """Seconds that a call to Kafka may take."""
        if self._deadline is None:
            return CALL_SECONDS
        return max(SHORTEST_CALL_SECONDS, min(CALL_SECONDS, self._deadline - self._clock.monotonic()))
