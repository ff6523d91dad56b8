"""What a stage's recent lag amounts to: pure rules over a window of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise, takewhile

WINDOW = timedelta(minutes=5)
ENOUGH = 4
"""Samples it takes to speak of a tendency."""
FRESH = timedelta(seconds=60)
"""A newest sample older than this tells nothing about now."""


class Verdict(StrEnum):
    """From the mildest to the worst."""

    OK = "ok"
    WARN = "warn"
    """Behind, and not catching up."""
    STALLED = "stalled"
    """Behind, with members that get nothing done."""
    STOPPED = "stopped"
    """Behind, without members."""
    ALERT = "alert"
    """Behind by more than the threshold for longer than allowed."""
    UNKNOWN = "unknown"
    """Not enough samples to tell; never to be taken for OK."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Lag and members of a stage at a moment; None where it is not known."""

    at: datetime
    lag: int | None
    members: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """A lag above `threshold` for longer than `patience` is an alert."""

    threshold: int
    patience: timedelta


def judge(samples: Sequence[Sample], limits: Limits, now: datetime) -> Verdict:
    """The verdict on samples in order of time, oldest first."""
    window = [sample for sample in samples if sample.at > now - WINDOW]
    if not window or window[-1].lag is None or window[-1].at < now - FRESH:
        return Verdict.UNKNOWN
    for rule, verdict in _RULES:
        if rule(window, limits):
            return verdict
    return Verdict.OK


def exceeds_for_too_long(window: Sequence[Sample], limits: Limits) -> bool:
    """The lag was above the threshold in every sample since before the patience ran out; samples without a lag do not
    interrupt that.
    """
    known = [(sample.at, sample.lag) for sample in window if sample.lag is not None]
    above = list(takewhile(lambda sample: sample[1] > limits.threshold, reversed(known)))
    return bool(above) and above[0][0] - above[-1][0] > limits.patience


def has_no_members(window: Sequence[Sample], _: Limits) -> bool:
    """Something to do and no member to do it."""
    return (window[-1].lag or 0) > 0 and window[-1].members == 0


def makes_no_progress(window: Sequence[Sample], _: Limits) -> bool:
    """Behind by the same lag all the time."""
    lags = _non_decreasing_lags(window)
    return bool(lags) and lags[-1] == lags[0]


def falls_behind(window: Sequence[Sample], _: Limits) -> bool:
    """Behind, and more and more so."""
    lags = _non_decreasing_lags(window)
    return bool(lags) and lags[-1] > lags[0]


def _non_decreasing_lags(window: Sequence[Sample]) -> list[int]:
    """Lags if there are at least ENOUGH samples, all positive and non-decreasing; otherwise []."""
    lags = [sample.lag for sample in window if sample.lag is not None]
    rising = all(earlier <= later for earlier, later in pairwise(lags))
    return lags if len(lags) >= ENOUGH and min(lags) > 0 and rising else []


_RULES = (
    (exceeds_for_too_long, Verdict.ALERT),
    (has_no_members, Verdict.STOPPED),
    (makes_no_progress, Verdict.STALLED),
    (falls_behind, Verdict.WARN),
)
