"""Writing the tail: what arrives, in objects of one partition and one day, every event once whoever else writes.

An object is named by its first offset and created only if there is none of that name. A writer that finds one (its own
from before a crash, or another's) drops what that object holds and goes on after it. So all writers cut a partition
into the same objects, as long as each starts where an object ends: `ends` says where.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import takewhile
from types import MappingProxyType
from typing import NamedTuple

from audittrail.archive import format, manifests, object_names, objects

AT_ONCE = 8
"""Questions to the object store at the same time."""
BESIDE = 10_000
"""Offsets before the place where an end is thought to be: more than a batch holds."""


class DamagedArchive(Exception):
    """An object of the archive is not what this program writes; the text names it. For a person to look at."""


class Segment(NamedTuple):
    """Offsets that an object covers: `start` is where the object before it ended, `end` the offset after its last
    event.
    """

    start: int
    end: int


def segment(name: str, metadata: dict[str, str]) -> Segment:
    """Raises DamagedArchive."""
    try:
        return Segment(int(metadata["start"]), int(metadata["end"]))
    except (KeyError, ValueError):
        raise DamagedArchive(
            f"{name} does not say which offsets it covers: compare it with the database by verify_trail."
        ) from None


def append(topic_id: str, partition: int, rows: Sequence[dict], position: int | None) -> int | None:
    """Archive rows of one partition, in offset order; the position after them, from which the next call goes on.

    `position`: where the archive ends (see `ends`), None where it has nothing of this partition. Rows before it are
    there already. Raises ObjectStoreUnavailable, after which the same call completes the work, and DamagedArchive.
    """
    offsets = [row["offset"] for row in rows]
    while (first := bisect_left(offsets, position or 0)) < len(rows):
        run = _same_day(rows[first:])
        position = _create(topic_id, partition, run, offsets[first] if position is None else position)
    return position


def _same_day(rows: Sequence[dict]) -> list[dict]:
    day = _day(rows[0])
    return list(takewhile(lambda row: _day(row) == day, rows))


def _day(row: dict) -> date:
    appended_at: datetime = row["appended_at"]
    return appended_at.date()


def _create(topic_id: str, partition: int, run: list[dict], start: int) -> int:
    """Create the object of a run of rows, or find it created; where it ends."""
    name = object_names.Tail(topic_id, partition, run[0]["offset"], _day(run[0])).name
    content, end = format.to_parquet(format.table(run)), run[-1]["offset"] + 1
    said = {
        "start": str(start),
        "end": str(end),
        "events": str(len(run)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if objects.create_once(name, content, said):
        return end
    return segment(name, objects.metadata(name)).end


def ends(topic_id: str, partitions: set[int], near: Mapping[int, int] = MappingProxyType({})) -> dict[int, int]:
    """Where the archive of a topic ends, by partition; partitions it has nothing of are left out.

    `near`: where each is thought to end, so that a long day need not be listed from its beginning. A wrong one costs
    time, not truth. Looks from the newest day backwards, and among sealed days for partitions that have no tail left.
    Raises ObjectStoreUnavailable, DamagedArchive.
    """
    last: dict[int, object_names.Tail] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="archive") as pool:
        for folder in reversed(objects.folders(f"{object_names.TAIL}topic={topic_id}/")):
            newest = pool.map(
                lambda number, folder=folder: _newest(folder, number, near.get(number, 0)), partitions - last.keys()
            )
            last |= {tail.partition: tail for tail in newest if tail}
            if partitions <= last.keys():
                break
        found = dict(zip(last, pool.map(_end, last.values()), strict=True))
    return manifests.ends(topic_id, partitions - found.keys()) | found


def _newest(folder: str, partition: int, near: int) -> object_names.Tail | None:
    for start in dict.fromkeys((max(0, near - BESIDE), 0)):
        listed = objects.listed(
            object_names.tails_in(folder, partition), object_names.tails_before(folder, partition, start)
        )
        if found := list(object_names.known(object_names.tail, listed)):
            return found[-1]
    return None


def _end(tail: object_names.Tail) -> int:
    return segment(tail.name, objects.metadata(tail.name)).end


def known_elsewhere(topic_id: str, since: date, beginning: str = "") -> set[tuple[bytes, bytes]]:
    """Identity and hash of the events archived since a day from *other* topics: a topic made anew is filled with some
    of them again.

    `beginning`: only of topics whose ids begin like this.  Raises ObjectStoreUnavailable.
    """
    known: set[tuple[bytes, bytes]] = set()
    for prefix in objects.folders(f"{object_names.TAIL}topic={beginning}"):
        if prefix == f"{object_names.TAIL}topic={topic_id}/":
            continue
        for tail in object_names.known(object_names.tail, objects.listed(prefix)):
            if tail.day >= since:
                stored = format.from_parquet(objects.read(tail.name).content, columns=["event_id", "hash"])
                known.update((row["event_id"].bytes, row["hash"]) for row in stored.to_pylist())
    return known


RECENT = timedelta(days=9)
"""How far back a topic made anew can repeat: the outbox keeps a week at least, and what the sinks have not passed."""
