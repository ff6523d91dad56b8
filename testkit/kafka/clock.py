"""Time that passes only when somebody waits."""

EPOCH_MS = 1_767_225_600_000
"""2026-01-01 in milliseconds since 1970: where the time of messages begins."""


class ManualClock:
    """Seconds since its beginning."""

    def __init__(self) -> None:
        self._now = 1.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float, /) -> None:
        self._now += seconds

    def epoch_ms(self) -> int:
        """The time of day, in milliseconds since 1970."""
        return EPOCH_MS + int(self._now * 1000)
