"""What a stage's recent lag amounts to, beside what it should do: pure rules over a window of samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise, takewhile

from consumers.models import DesiredState

WINDOW = timedelta(minutes=5)
ENOUGH = 4
"""Samples it takes to speak of a tendency."""
FRESH = timedelta(seconds=60)
"""A newest sample older than this tells nothing about now."""


class Verdict(StrEnum):
    """From the mildest to the worst."""

    OK = "ok"
    CATCHING_UP = "catching up"
    """Behind, and less and less so."""
    WARN = "warn"
    """Behind, and not catching up."""
    STALLED = "stalled"
    """Behind, with members that get nothing done."""
    PAUSED = "paused"
    """It shall read nothing for now."""
    STOPPED = "stopped"
    """It shall not run, or is behind without members."""
    ALERT = "alert"
    """Behind by more than the threshold for longer than allowed."""
    HALTED = "halted"
    """It reads a partition no further until that is released."""
    UNKNOWN = "unknown"
    """Not enough samples to tell; never to be taken for OK."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Lag and members of a stage at a moment, None where it is not known; and the verdict at that moment."""

    at: datetime
    lag: int | None
    members: int | None
    verdict: Verdict = Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Limits:
    """A lag above `threshold` for longer than `patience` is an alert."""

    threshold: int
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Situation:
    """What a stage should do, and how many of its partitions are halted."""

    desired: str = DesiredState.RUNNING
    halts: int = 0


def judge(samples: Sequence[Sample], limits: Limits, now: datetime, situation: Situation) -> Verdict:
    """The verdict on samples in order of time, oldest first; of several that hold, the worst."""
    if situation.halts:
        return Verdict.HALTED
    window = [sample for sample in samples if sample.at > now - WINDOW]
    if not window or window[-1].lag is None or window[-1].at < now - FRESH:
        return Verdict.UNKNOWN
    found = (verdict for rule, verdict in _RULES if rule(window, limits, situation))
    return max(found, key=list(Verdict).index, default=Verdict.OK)


def explain(verdict: Verdict, samples: Sequence[Sample]) -> str:
    """What a verdict means in numbers: since when something waits, or how long it will take; empty where there is
    nothing to say.
    """
    known = [(sample.at, sample.lag) for sample in samples if sample.lag is not None]
    behind = list(takewhile(lambda sample: sample[1] > 0, reversed(known)))
    if not behind:
        return ""
    (at, lag), (since, most) = behind[0], behind[-1]
    if verdict is Verdict.CATCHING_UP:
        seconds = (at - since).total_seconds() * lag / (most - lag)
        return f"about {seconds:,.0f} s to go"
    if verdict in (Verdict.PAUSED, Verdict.STOPPED, Verdict.STALLED):
        return f"{lag:,} waiting, the first seen {(at - since).total_seconds():,.0f} s before"
    return ""


_Window = Sequence[Sample]


def exceeds_for_too_long(window: _Window, limits: Limits, _: Situation) -> bool:
    """The lag was above the threshold in every sample since before the patience ran out; samples without a lag do not
    interrupt that.
    """
    known = [(sample.at, sample.lag) for sample in window if sample.lag is not None]
    above = list(takewhile(lambda sample: sample[1] > limits.threshold, reversed(known)))
    return bool(above) and above[0][0] - above[-1][0] > limits.patience


def shall_not_run(_window: _Window, _limits: Limits, situation: Situation) -> bool:
    return situation.desired == DesiredState.STOPPED


def has_no_members(window: _Window, _limits: Limits, _: Situation) -> bool:
    """Something to do and no member to do it."""
    return (window[-1].lag or 0) > 0 and window[-1].members == 0


def shall_pause(_window: _Window, _limits: Limits, situation: Situation) -> bool:
    return situation.desired == DesiredState.PAUSED


def makes_no_progress(window: _Window, _limits: Limits, _: Situation) -> bool:
    """Behind by the same lag all the time."""
    lags = _always_behind(window)
    return bool(lags) and min(lags) == max(lags)


def falls_behind(window: _Window, _limits: Limits, _: Situation) -> bool:
    """Behind, never less so, and in the end more."""
    lags = _always_behind(window)
    return bool(lags) and lags[-1] > lags[0] and all(earlier <= later for earlier, later in pairwise(lags))


def catches_up(window: _Window, _limits: Limits, _: Situation) -> bool:
    """Behind, never more so, and in the end less."""
    lags = _always_behind(window)
    return bool(lags) and lags[-1] < lags[0] and all(earlier >= later for earlier, later in pairwise(lags))


def _always_behind(window: _Window) -> list[int]:
    """Lags if there are at least ENOUGH samples and none is 0; otherwise []."""
    lags = [sample.lag for sample in window if sample.lag is not None]
    return lags if len(lags) >= ENOUGH and min(lags) > 0 else []


_RULES = (
    (catches_up, Verdict.CATCHING_UP),
    (falls_behind, Verdict.WARN),
    (makes_no_progress, Verdict.STALLED),
    (shall_pause, Verdict.PAUSED),
    (has_no_members, Verdict.STOPPED),
    (shall_not_run, Verdict.STOPPED),
    (exceeds_for_too_long, Verdict.ALERT),
)
