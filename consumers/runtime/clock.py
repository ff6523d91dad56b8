"""Time as the runtime knows it."""

from typing import Protocol


class Clock(Protocol):
    """The module `time`, or in tests one that never waits. Both in seconds."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...
