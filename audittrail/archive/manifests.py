"""Manifests: a sealed day has one, which lists the day's objects, their SHA-256 and counts, and the offsets they
hold.
"""

from dataclasses import asdict, dataclass
from datetime import date

import orjson

from audittrail.archive import object_names, objects
from audittrail.archive.format import FORMAT


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of one topic's partition in a sealed object: from the end of the day before (`start`) to `end`,
    excluded.
    """

    topic_id: str
    partition: int
    start: int
    end: int
    tails: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed object: a partition's events of the day, in order of article and sequence."""

    name: str
    sha256: str
    size: int
    events: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A sealed day. `sealed_at`: ISO 8601, UTC."""

    day: str
    sealed_at: str
    events: int
    objects: tuple[Sealed, ...]
    format: str = FORMAT

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)


class DamagedManifest(Exception):
    """A manifest that cannot be read; the text names it."""


def days() -> list[date]:
    """Sealed days, oldest first. Raises ObjectStoreUnavailable."""
    return list(object_names.parsed(object_names.parse_manifest, objects.listed(object_names.MANIFESTS)))


def load(day: date) -> Manifest:
    """The manifest of a day.

    Raises FileNotFoundError for a day that is not sealed, DamagedManifest, ObjectStoreUnavailable.
    """
    try:
        raw = orjson.loads(objects.read(object_names.manifest(day)).content)
        sealed = tuple(
            Sealed(**item | {"ranges": tuple(Range(**part) for part in item["ranges"])}) for item in raw["objects"]
        )
        return Manifest(**raw | {"objects": sealed})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedManifest(f"{object_names.manifest(day)} is not a manifest of {FORMAT}: {error}") from error


def ends(topic_id: str, partitions: set[int]) -> dict[int, int]:
    """Where the sealed days of a topic end, by partition; partitions they do not mention are left out.

    Raises ObjectStoreUnavailable, DamagedManifest.
    """
    found: dict[int, int] = {}
    for day in reversed(days()):
        if partitions <= found.keys():
            break
        ranges = (part for sealed in load(day).objects for part in sealed.ranges)
        found = {
            part.partition: part.end for part in ranges if part.topic_id == topic_id and part.partition in partitions
        } | found
    return found
