"""Growing delays between attempts while something outside is away."""

from collections.abc import Callable

from consumers import conf

FIRST_RETRY_SECONDS = 0.1


class Backoff:
    """No delay until the first failure; then each doubles the one before, up to conf.retry_cap_seconds."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._until = 0.0
        self._next_delay = FIRST_RETRY_SECONDS
        self.active = False
        """Whether the last attempt failed."""
        self.reason = ""
        """What was away then."""

    def record_failure(self, reason: str) -> bool:
        """Delay the next attempt; whether the reason is a new one."""
        is_new = not self.active or reason != self.reason
        self.active, self.reason = True, reason
        self._until = self._clock() + self._next_delay
        self._next_delay = min(self._next_delay * 2, conf.retry_cap_seconds())
        return is_new

    def reset(self) -> None:
        """An attempt has succeeded."""
        self.active, self.reason = False, ""
        self._until, self._next_delay = 0.0, FIRST_RETRY_SECONDS

    def seconds_left(self) -> float:
        """Until the next attempt; 0 when it is due."""
        return max(0.0, self._until - self._clock())
