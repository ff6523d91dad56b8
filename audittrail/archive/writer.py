"""Writing the tail: what arrives, in objects of one partition and one day, every event once however many write.

An object is named by its first offset and created only if there is none of that name. A writer that finds one (its own
from before a crash, or another's) drops what that object holds and goes on after it. So all writers cut a partition
into the same objects, as long as each starts where an object ends: `ends` says where.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import takewhile
from types import MappingProxyType
from typing import NamedTuple

from audittrail.archive import format, manifests, object_names, objects
from audittrail.archive.format import ArchivedEvent

PARALLEL_REQUESTS = 8
"""Requests to the object store at the same time."""
LOOK_BACK = 10_000
"""Offsets before the one where an end is expected: more than a batch holds."""
RECENT = timedelta(days=9)
"""How far back a re-created topic can repeat: the outbox keeps a week at least, and what the sinks have not passed."""


class DamagedArchive(Exception):
    """An object of the archive is not what this program writes; the text names it. For a person to look at."""


class Segment(NamedTuple):
    """Offsets that an object covers: `start` is where the object before it ended, `end` the offset after its last
    event.
    """

    start: int
    end: int


def segment(name: str, metadata: dict[str, str]) -> Segment:
    """The offsets that an object covers, by its metadata. Raises DamagedArchive."""
    try:
        return Segment(int(metadata["start"]), int(metadata["end"]))
    except (KeyError, ValueError):
        raise DamagedArchive(
            f"{name} does not say which offsets it covers: compare it with the database by verify_trail."
        ) from None


def append(topic_id: str, partition: int, rows: Sequence[ArchivedEvent], position: int | None) -> int | None:
    """Archive rows of one partition, in offset order; the position after them, from which the next call goes on.

    `position`: where the archive ends (see `ends`), None where it has nothing of this partition. Rows before it are
    there already. Raises ObjectStoreUnavailable, after which the same call completes the work, and DamagedArchive.
    """
    offsets = [row["offset"] for row in rows]
    while (first := bisect_left(offsets, position or 0)) < len(rows):
        run = _same_day(rows[first:])
        position = _create(topic_id, partition, run, offsets[first] if position is None else position)
    return position


def _same_day(rows: Sequence[ArchivedEvent]) -> list[ArchivedEvent]:
    day = _day(rows[0])
    return list(takewhile(lambda row: _day(row) == day, rows))


def _day(row: ArchivedEvent) -> date:
    return row["appended_at"].date()


def _create(topic_id: str, partition: int, run: list[ArchivedEvent], start: int) -> int:
    """Create the object of a run of rows, or find it created; where it ends."""
    name = object_names.Tail(topic_id, partition, run[0]["offset"], _day(run[0])).name
    content, end = format.to_parquet(format.table(run)), run[-1]["offset"] + 1
    metadata = {
        "start": str(start),
        "end": str(end),
        "events": str(len(run)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if objects.create_once(name, content, metadata):
        return end
    return segment(name, objects.metadata(name)).end


def ends(topic_id: str, partitions: set[int], expected: Mapping[int, int] = MappingProxyType({})) -> dict[int, int]:
    """Where the archive of a topic ends, by partition; partitions it has nothing of are left out.

    `expected`: where each should end, so that a long day need not be listed from its beginning. A wrong one costs time,
    not truth. Looks from the newest day backwards, and among sealed days for partitions that have no tail left.
    Raises ObjectStoreUnavailable, DamagedArchive.
    """
    last: dict[int, object_names.Tail] = {}
    with ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="archive") as pool:
        for folder in reversed(objects.folders(f"{object_names.TAIL}topic={topic_id}/")):
            newest = pool.map(
                lambda number, folder=folder: _newest(folder, number, expected.get(number, 0)), partitions - last.keys()
            )
            last |= {tail.partition: tail for tail in newest if tail}
            if partitions <= last.keys():
                break
        found = dict(zip(last, pool.map(_end, last.values()), strict=True))
    return manifests.ends(topic_id, partitions - found.keys()) | found


def _newest(folder: str, partition: int, expected: int) -> object_names.Tail | None:
    for start in dict.fromkeys((max(0, expected - LOOK_BACK), 0)):
        listed = objects.listed(
            object_names.partition_prefix(folder, partition), object_names.offset_prefix(folder, partition, start)
        )
        if found := list(object_names.parsed(object_names.parse_tail, listed)):
            return found[-1]
    return None


def _end(tail: object_names.Tail) -> int:
    return segment(tail.name, objects.metadata(tail.name)).end


def archived_under_other_topics(topic_id: str, since: date, prefix: str = "") -> set[tuple[bytes, bytes]]:
    """Identity and hash of the events archived since a day from *other* topics: a re-created topic is filled with some
    of them again.

    `prefix`: only of topics whose ids begin like this. Raises ObjectStoreUnavailable.
    """
    known: set[tuple[bytes, bytes]] = set()
    for folder in objects.folders(f"{object_names.TAIL}topic={prefix}"):
        if folder == f"{object_names.TAIL}topic={topic_id}/":
            continue
        for tail in object_names.parsed(object_names.parse_tail, objects.listed(folder)):
            if tail.day >= since:
                stored = format.from_parquet(objects.read(tail.name).content, columns=["event_id", "hash"])
                known.update((row["event_id"].bytes, row["hash"]) for row in stored.to_pylist())
    return known
