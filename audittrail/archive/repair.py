"""Repair of the archive: lost events in objects of their own, changed objects rebuilt, gaps closed. Evidence is never
overwritten.

An object of restored events is a topic of its own, `restored-<digest of its events>`, with offsets from 0: readers and
sealing treat it like any other, and the same events restored twice have the same name. What is to be replaced is copied
to `evidence/` first.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from audittrail.archive import format, manifests, object_names, objects, seal, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.object_storage import StoredObject
from audittrail.events.event import EnrichedEvent

EVIDENCE = "evidence/"
EVENTS_AN_OBJECT = 10_000

Correction = Callable[[ArchivedEvent], ArchivedEvent | None]
"""A row as stored → as it was captured, its origin the same; None for one that was never captured: it is left out."""


class CannotRepair(Exception):
    """An object that cannot be rebuilt from what is there; the text says why, and what is left to do."""


class OffsetGap(NamedTuple):
    """Offsets of a topic's partition that no object covers; `day`: of the object after them."""

    topic_id: str
    partition: int
    start: int
    end: int
    day: date


def write_restored(events: Sequence[EnrichedEvent]) -> None:
    """Store events that the archive lacks; best in an order that a repetition would have too. Raises
    ObjectStoreUnavailable.
    """
    for start in range(0, len(events), EVENTS_AN_OBJECT):
        some = events[start : start + EVENTS_AN_OBJECT]
        digest = hashlib.sha256(b"".join(event["hash"] for event in some)).hexdigest()
        topic_id, now = object_names.RESTORED + digest[:32], datetime.now(UTC)
        rows: list[ArchivedEvent] = [
            {**event, "topic_id": topic_id, "partition": 0, "offset": offset, "appended_at": now}
            for offset, event in enumerate(some)
        ]
        writer.append(topic_id, 0, rows, None)


def rows(name: str) -> list[ArchivedEvent]:
    """The events of an object with their origins; none if it cannot be read. Raises ObjectStoreUnavailable."""
    try:
        return format.events(format.from_parquet(objects.read(name).content))
    except (FileNotFoundError, pa.ArrowException, ValueError):
        return []


def rebuild(name: str, correct: Correction) -> bool:
    """Rebuild an object from its rows, each corrected; whether it is now byte for byte what was written.

    Raises CannotRepair, ObjectStoreUnavailable.
    """
    if name.startswith(object_names.EVENTS):
        _rebuild_sealed(name, correct)
        return True
    return _rebuild_tail(name, correct)


def _corrected_rows(name: str, correct: Correction) -> list[ArchivedEvent]:
    return [corrected for row in rows(name) if (corrected := correct(row)) is not None]


def _rebuild_tail(name: str, correct: Correction) -> bool:
    """What cannot be rebuilt exactly keeps its place and its offsets, with the events that are proven."""
    stored = objects.read(name)
    try:
        writer.segment(name, stored.metadata)
    except writer.DamagedArchive as error:
        raise CannotRepair(f"{error} Put the object back from a backup of the bucket.") from error
    events = _corrected_rows(name, correct)
    content = format.to_parquet(format.table(events))
    digest = hashlib.sha256(content).hexdigest()
    exact = digest == stored.metadata.get("sha256")
    metadata = stored.metadata | {"sha256": digest, "events": str(len(events))}
    _replace(name, stored, content, metadata if exact else metadata | _repaired_now())
    return exact


def _rebuild_sealed(name: str, correct: Correction) -> None:
    day = object_names.parse_sealed(name)
    wanted = next(item.sha256 for item in manifests.load(day).objects if item.name == name)
    # A sealed object is made of tables that were read: their schema says more than that of a new one.
    read_again = format.from_parquet(format.to_parquet(format.table(_corrected_rows(name, correct))))
    for content in (_from_tails(name, day), format.to_parquet(read_again)):
        if content is not None and hashlib.sha256(content).hexdigest() == wanted:
            return _put_back(name, content, {"sha256": wanted})
    raise CannotRepair(
        f"{name} cannot be rebuilt as the manifest of {day} lists it. Put it back from a backup of the bucket."
    )


def _from_tails(name: str, day: date) -> bytes | None:
    tails = [tail for tail in seal.tails(day) if object_names.sealed(day, tail.partition) == name]
    try:
        return format.to_parquet(seal.combined(tails)[0]) if tails else None
    except (writer.DamagedArchive, FileNotFoundError):
        return None


def _put_back(name: str, content: bytes, metadata: dict[str, str]) -> None:
    try:
        _replace(name, objects.read(name), content, metadata)
    except FileNotFoundError:
        objects.create_once(name, content, metadata)


def _replace(name: str, stored: StoredObject, content: bytes, metadata: dict[str, str]) -> None:
    """Only once what stands there is kept, under a name of its content."""
    objects.create_once(
        f"{EVIDENCE}{name}-{hashlib.sha256(stored.content).hexdigest()}", stored.content, stored.metadata
    )
    objects.replace(name, content, metadata)


def gaps() -> list[OffsetGap]:
    """Offsets between objects that no object covers, in every topic. Raises ObjectStoreUnavailable, DamagedManifest."""
    by_partition: defaultdict[tuple[str, int], list[tuple[int, int, date]]] = defaultdict(list)
    for part, day in _ranges():
        by_partition[part.topic_id, part.partition].append((part.start, part.end, day))
    found: list[OffsetGap] = []
    for (topic_id, partition), parts in sorted(by_partition.items()):
        found += [
            OffsetGap(topic_id, partition, before[1], after[0], after[2])
            for before, after in pairwise(sorted(parts))
            if before[1] < after[0]
        ]
    return found


def _ranges() -> Iterator[tuple[manifests.Range, date]]:
    sealed = manifests.days()
    for day in sealed:
        yield from ((part, day) for item in manifests.load(day).objects for part in item.ranges)
    for found in object_names.parsed(object_names.parse_tail, objects.listed(object_names.TAIL)):
        if found.day not in sealed:
            covered = writer.segment(found.name, objects.metadata(found.name))
            yield manifests.Range(found.topic_id, found.partition, covered.start, covered.end, 1), found.day


def close_gap(gap: OffsetGap) -> None:
    """Write an object without events that covers the offsets of a lost one: its events are restored elsewhere.

    The sequences of the articles prove that none is lacking, not the offsets. Raises CannotRepair,
    ObjectStoreUnavailable.
    """
    # In the day of what follows: a writer looks for the end of a partition in its newest day.
    name = object_names.Tail(gap.topic_id, gap.partition, gap.start, gap.day).name
    if gap.day in manifests.days():
        raise CannotRepair(
            f"{gap.day} is sealed: the gap of offsets {gap.start} to {gap.end - 1} stays in its manifest. "
            "Its events are restored elsewhere."
        )
    content = format.to_parquet(format.table([]))
    digest = hashlib.sha256(content).hexdigest()
    metadata = {"start": str(gap.start), "end": str(gap.end), "events": "0", "sha256": digest}
    objects.create_once(name, content, metadata | _repaired_now())


def _repaired_now() -> dict[str, str]:
    return {"mended": datetime.now(UTC).isoformat(timespec="seconds")}
