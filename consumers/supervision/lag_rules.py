"""What a stage's recent lag amounts to, beside what it should do: pure rules over a window of samples.

Each partition is judged by its own lag and committed offset, as Burrow does (LinkedIn, "Consumer Lag Evaluation
Rules"), and the worst verdict is the stage's: one partition that stands still among 23 that flow is a stage that
stands still.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise, takewhile
from typing import NamedTuple

from consumers.models import DesiredState

WINDOW = timedelta(minutes=5)
ENOUGH = 4
"""Samples it takes to speak of a tendency."""
LONG_ENOUGH = timedelta(seconds=60)
"""How long a lag must have grown to be falling behind: a burst does, for a moment."""
FRESH = timedelta(seconds=60)
"""A newest sample older than this tells nothing about now."""


class Verdict(StrEnum):
    """From the mildest to the worst."""

    OK = "ok"
    CATCHING_UP = "catching up"
    """Behind, and less and less so."""
    WARN = "warn"
    """Behind, and not catching up."""
    REWOUND = "rewound"
    """It reads again what it had read: somebody set its offsets back, or the topic or the group was made anew."""
    STALLED = "stalled"
    """Behind, and getting nothing done."""
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
class Place:
    """A partition, or the outbox, at a moment: messages still to be read, and the offset committed, or the number of
    batches published. None where it is not known.
    """

    lag: int | None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A stage at a moment: lag and members, None where they are not known, why not, each partition by its name, and
    the verdict at that moment.
    """

    at: datetime
    lag: int | None
    members: int | None
    partitions: Mapping[str, Place] = field(default_factory=dict)
    problem: str = ""
    verdict: Verdict = Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Limits:
    """A lag above `threshold` for longer than `patience` is an alert; an offset that has not moved for `stalled_after`
    does not move.
    """

    threshold: int
    patience: timedelta
    stalled_after: timedelta


@dataclass(frozen=True, slots=True)
class Situation:
    """What a stage should do, and how many of its partitions are halted."""

    desired: str = DesiredState.RUNNING
    halts: int = 0


class Judgement(NamedTuple):
    """A verdict, and what it means in words and numbers, empty where there is nothing to say; of equal verdicts the
    heavier is told.
    """

    verdict: Verdict
    explanation: str = ""
    weight: float = 0


def judge(samples: Sequence[Sample], limits: Limits, now: datetime, situation: Situation) -> Judgement:
    """The verdict on samples in order of time, oldest first; of several that hold, the worst."""
    if situation.halts:
        return Judgement(Verdict.HALTED)
    window = [sample for sample in samples if sample.at > now - WINDOW]
    if reason := _why_unknown(window, now):
        return Judgement(Verdict.UNKNOWN, reason)
    return max([*_of_the_stage(window, limits, situation), *_of_partitions(window, limits)], key=_severity)


def _severity(judgement: Judgement) -> tuple[int, float]:
    return list(Verdict).index(judgement.verdict), judgement.weight


def _why_unknown(window: Sequence[Sample], now: datetime) -> str:
    if not window:
        return "no sample of the last 5 minutes: do Celery's worker and beat run?"
    newest = window[-1]
    if newest.at < now - FRESH:
        return f"the last sample is {(now - newest.at).total_seconds():,.0f} s old: do Celery's worker and beat run?"
    if newest.lag is None:
        return newest.problem or "the lag of some partitions is not known"
    return ""


class _Step(NamedTuple):
    """A place whose lag was known, or a stage's."""

    at: datetime
    lag: int
    position: int | None


def _behind(steps: Sequence[_Step]) -> list[_Step]:
    """Those since the lag was last 0."""
    return list(takewhile(lambda step: step.lag > 0, reversed(steps)))[::-1]


# The stage as a whole


def _of_the_stage(window: Sequence[Sample], limits: Limits, situation: Situation) -> Iterator[Judgement]:
    yield Judgement(Verdict.OK)
    behind = _behind([_Step(sample.at, sample.lag, None) for sample in window if sample.lag is not None])
    waiting = f"{behind[-1].lag:,} waiting, the first seen {_seconds(behind):,.0f} s before" if behind else ""
    if _exceeds_for_too_long(behind, limits):
        yield Judgement(Verdict.ALERT, waiting)
    if situation.desired == DesiredState.STOPPED or (behind and window[-1].members == 0):
        yield Judgement(Verdict.STOPPED, waiting)
    if situation.desired == DesiredState.PAUSED:
        yield Judgement(Verdict.PAUSED, waiting)


def _exceeds_for_too_long(behind: Sequence[_Step], limits: Limits) -> bool:
    """The lag was above the threshold in every known sample since before the patience ran out."""
    above = list(takewhile(lambda step: step.lag > limits.threshold, reversed(behind)))
    return bool(above) and above[0].at - above[-1].at > limits.patience


def _seconds(steps: Sequence[_Step]) -> float:
    return (steps[-1].at - steps[0].at).total_seconds()


# Each partition


def _of_partitions(window: Sequence[Sample], limits: Limits) -> Iterator[Judgement]:
    for name in window[-1].partitions:
        found = [(sample.at, sample.partitions[name]) for sample in window if name in sample.partitions]
        steps = [_Step(at, place.lag, place.position) for at, place in found if place.lag is not None]
        if back := _set_back(steps):
            yield Judgement(Verdict.REWOUND, f"{name} was set back by {back:,}", back)
        if len(behind := _behind(steps)) >= ENOUGH:
            yield from _tendency(name, behind, limits)


def _set_back(steps: Sequence[_Step]) -> int:
    """Messages between where it was and where it went back to, at the last time that it did; 0 if it never did."""
    positions = [step.position or 0 for step in steps]
    return next((before - after for before, after in reversed(list(pairwise(positions))) if after < before), 0)


def _tendency(name: str, behind: Sequence[_Step], limits: Limits) -> Iterator[Judgement]:
    still = list(takewhile(lambda step: step.position == behind[-1].position, reversed(behind)))[::-1]
    lags = [step.lag for step in behind]
    if len(still) >= ENOUGH and _seconds(still) >= limits.stalled_after.total_seconds():
        text = f"{name}: {lags[-1]:,} waiting, none read for {_seconds(still):,.0f} s"
        yield Judgement(Verdict.STALLED, text, _seconds(still))
    elif _seconds(behind) >= LONG_ENOUGH.total_seconds() and lags == sorted(lags) and lags[-1] > lags[0]:
        text = f"{name}: {lags[-1] - lags[0]:,} more waiting than {_seconds(behind):,.0f} s before"
        yield Judgement(Verdict.WARN, text, lags[-1] - lags[0])
    elif lags[-ENOUGH:] == sorted(lags[-ENOUGH:], reverse=True) and lags[-1] < lags[-ENOUGH]:
        lately = behind[-ENOUGH:]
        seconds = _seconds(lately) * lately[-1].lag / (lately[0].lag - lately[-1].lag)
        yield Judgement(Verdict.CATCHING_UP, f"about {seconds:,.0f} s to go", seconds)
