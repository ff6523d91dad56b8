"""Names of the archive's objects. A name says what must not exist twice: the first offset of a partition's next object,
a sealed day.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

T = TypeVar("T")

TAIL, EVENTS, MANIFESTS = "tail/", "events/", "manifests/"
RESTORED = "restored-"
"""Begins the ids of topics that never were: their objects hold events restored after a loss."""

_TAIL = re.compile(
    r"tail/topic=(?P<topic_id>[\w-]+)/date=(?P<day>\d{4}-\d\d-\d\d)/p(?P<partition>\d{2,})-(?P<first>\d{20})\.parquet"
)
_SEALED = re.compile(r"events/date=(?P<day>\d{4}-\d\d-\d\d)/p(?P<partition>\d{2,})\.parquet")
_MANIFEST = re.compile(r"manifests/(?P<day>\d{4}-\d\d-\d\d)\.json")


class UnknownName(ValueError):
    """An object that is not the archive's."""


@dataclass(frozen=True, slots=True, order=True)
class Tail:
    """What one batch brought of one partition, on one day of arrival."""

    topic_id: str
    partition: int
    first: int
    day: date

    @property
    def name(self) -> str:
        return f"{offset_prefix(topic_day_prefix(self.topic_id, self.day), self.partition, self.first)}.parquet"


def topic_day_prefix(topic_id: str, day: date) -> str:
    """Prefix of a topic's tail objects of a day."""
    return f"{TAIL}topic={topic_id}/date={day}/"


def partition_prefix(folder: str, partition: int) -> str:
    """Prefix of a partition's tail objects in a folder; as names they sort by offset."""
    return f"{folder}p{partition:02d}-"


def offset_prefix(folder: str, partition: int, first: int) -> str:
    """Sorts before the tail objects from an offset on, and after all others of the partition."""
    return f"{partition_prefix(folder, partition)}{first:020d}"


def parse_tail(name: str) -> Tail:
    """The tail object of a name. Raises UnknownName."""
    match = _matched(_TAIL, name)
    return Tail(match["topic_id"], int(match["partition"]), int(match["first"]), date.fromisoformat(match["day"]))


def sealed(day: date, partition: int) -> str:
    """A partition's events of a sealed day."""
    return f"{EVENTS}date={day}/p{partition:02d}.parquet"


def parse_sealed(name: str) -> date:
    """The day of a sealed object's name. Raises UnknownName."""
    return date.fromisoformat(_matched(_SEALED, name)["day"])


def manifest(day: date) -> str:
    """Says that a day is sealed, and what belongs to it."""
    return f"{MANIFESTS}{day}.json"


def parse_manifest(name: str) -> date:
    """The day of a manifest's name. Raises UnknownName."""
    return date.fromisoformat(_matched(_MANIFEST, name)["day"])


def parsed(parse: Callable[[str], T], names: Iterable[str]) -> Iterator[T]:
    """What `parse` reads out of names; foreign ones are left out: an object put there by others must not stop the
    archive.
    """
    for name in names:
        try:
            yield parse(name)
        except UnknownName:
            continue


def _matched(pattern: re.Pattern[str], name: str) -> re.Match[str]:
    if match := pattern.fullmatch(name):
        return match
    raise UnknownName(f"{name} is not named like an object of the archive.")
