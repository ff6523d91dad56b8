"""The histogram above a list, as shapes of an SVG drawing 960 × 56 units large."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from audittrail.timeline.overview import Bar

WIDTH, HEIGHT, _SPACE = 960, 56, 2
_LEAST = 3
# Fewer bars than this do not get wider.
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """A bar; ``since`` and ``until`` are its times as URLs write them."""

    x: float
    y: float
    width: float
    height: float
    events: int
    publications: int
    since: str
    until: str
    starts: datetime
    selected: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """The drawing, how many events it stands for, and its times from left to right."""

    shapes: list[Shape]
    events: int
    publications: int
    first: datetime
    last: datetime


def draw_histogram(
    bars: Sequence[Bar], since: datetime | None = None, until: datetime | None = None
) -> Histogram | None:
    """The drawing of some bars, those within a chosen range selected; None for no bars."""
    if not bars:
        return None
    step, highest = WIDTH / max(len(bars), _FEWEST), max(bar.events for bar in bars)
    shapes = [_shape(bar, number * step, step, highest, since, until) for number, bar in enumerate(bars)]
    return Histogram(
        shapes=shapes,
        events=sum(bar.events for bar in bars),
        publications=sum(bar.publications for bar in bars),
        first=bars[0].start,
        last=bars[-1].end,
    )


def _shape(bar: Bar, x: float, step: float, highest: int, since: datetime | None, until: datetime | None) -> Shape:
    height = max(_LEAST, bar.events / highest * (HEIGHT - 12)) if bar.events else 0
    selected = bool(since or until) and (since is None or bar.end > since) and (until is None or bar.start < until)
    return Shape(
        x=round(x + _SPACE / 2, 2),
        y=round(HEIGHT - height, 2),
        width=round(max(step - _SPACE, 1), 2),
        height=round(height, 2),
        events=bar.events,
        publications=bar.publications,
        since=_as_parameter(bar.start),
        until=_as_parameter(bar.end),
        starts=bar.start,
        selected=selected,
    )


def _as_parameter(time: datetime) -> str:
    return timezone.localtime(time).isoformat(timespec="seconds")
