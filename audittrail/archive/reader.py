"""Reading the archive: each event once, and whether every object is what it should be.

What counts is the sealed objects that manifests list, and the tail objects of days without a manifest; nothing else.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice

import pyarrow as pa

from audittrail.archive import format, manifests, object_names, objects
from audittrail.archive.manifests import DamagedManifest, Range
from audittrail.archive.seal import merged
from audittrail.archive.writer import DamagedArchive, segment

AHEAD = 8
"""Objects fetched while one is looked at: the store takes longer to answer than most of them take to read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with an object. `kind`: missing, changed, added, gap, overlap or unreadable."""

    kind: str
    name: str
    detail: str


def current(since: date | None = None) -> list[str]:
    """Names of the objects that make up the archive, by day; `since`: from that day of arrival on.

    Raises DamagedManifest, ObjectStoreUnavailable.
    """
    since = since or date.min
    sealed = manifests.days()
    listed = [(day, item.name) for day in sealed if day >= since for item in manifests.load(day).objects]
    tails = object_names.known(object_names.tail, objects.listed(object_names.TAIL))
    listed += [(tail.day, tail.name) for tail in tails if tail.day >= since and tail.day not in sealed]
    return [name for _, name in sorted(listed)]


def tables(since: date | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The archive's events, an object at a time; `columns`: only these. Raises as `current`, and FileNotFoundError."""
    for fetched in _fetched(current(since)):
        yield format.from_parquet(fetched.result().content, columns)


def events(since: date | None = None) -> Iterator[dict]:
    """Every event once, as the codec gives it, with its origin; in no order. Raises as `tables`."""
    for table in tables(since):
        yield from format.events(table)


def check(seen: Callable[[str, bytes], None] = lambda name, content: None) -> Iterator[Finding]:
    """What is wrong with the archive's objects; nothing if all is well. Reads every object that counts, and hands its
    name and content to `seen`.

    A cut at the very end of a partition does not show here (nothing follows it): the sequences of the articles show it.
    Raises ObjectStoreUnavailable.
    """
    sealed: dict[date, manifests.Manifest] = {}
    for name in objects.listed(object_names.MANIFESTS):
        try:
            day = object_names.manifest_day(name)
            sealed[day] = manifests.load(day)
        except (object_names.UnknownName, DamagedManifest) as error:
            yield Finding("unreadable", name, str(error))
    ranges: list[Range] = [part for manifest in sealed.values() for item in manifest.objects for part in item.ranges]
    yield from _check_sealed([(day, item) for day, manifest in sealed.items() for item in manifest.objects], seen)
    yield from _added(sealed)
    unsealed: list[object_names.Tail] = []
    for name in objects.listed(object_names.TAIL):
        try:
            tail = object_names.tail(name)
        except object_names.UnknownName as error:
            yield Finding("added", name, str(error))
            continue
        if tail.day not in sealed:
            unsealed.append(tail)
        elif not any(_holds(part, tail) for part in ranges):
            yield Finding("added", name, f"{tail.day} is sealed without it: its events are not read")
    for tail, fetched in zip(unsealed, _fetched(tail.name for tail in unsealed), strict=True):
        try:
            ranges.append(_checked_tail(tail, fetched.result(), seen))
        except DamagedArchive as error:
            yield Finding("changed", tail.name, str(error))
    yield from _breaks(ranges)


def _fetched(wanted: Iterable[str]) -> Iterator[Future[objects.StoredObject]]:
    """Each object, in order, being read or having been; the result raises as objects.read."""
    left = iter(wanted)
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="archive") as pool:
        under_way = deque(pool.submit(objects.read, name) for name in islice(left, AHEAD))
        while under_way:
            yield under_way.popleft()
            under_way.extend(pool.submit(objects.read, name) for name in islice(left, 1))


def _check_sealed(listed: list[tuple[date, manifests.Sealed]], seen: Callable[[str, bytes], None]) -> Iterator[Finding]:
    for (day, item), fetched in zip(listed, _fetched(item.name for _, item in listed), strict=True):
        try:
            content = fetched.result().content
        except FileNotFoundError:
            yield Finding("missing", item.name, f"the manifest of {day} lists it with {item.events} events")
            continue
        seen(item.name, content)
        if hashlib.sha256(content).hexdigest() != item.sha256:
            yield Finding("changed", item.name, f"its SHA-256 is not that of the manifest of {day}")


def _added(sealed: dict[date, manifests.Manifest]) -> Iterator[Finding]:
    """Sealed objects that no manifest lists; those of a day without a manifest are of a sealer that has not
    finished.
    """
    listed = {item.name for manifest in sealed.values() for item in manifest.objects}
    for name in objects.listed(object_names.EVENTS):
        try:
            day = object_names.sealed_day(name)
        except object_names.UnknownName as error:
            yield Finding("added", name, str(error))
            continue
        if day in sealed and name not in listed:
            yield Finding("added", name, f"the manifest of {day} does not list it")


def _holds(part: Range, tail: object_names.Tail) -> bool:
    return (part.topic_id, part.partition) == (tail.topic_id, tail.partition) and part.start <= tail.first < part.end


def _checked_tail(tail: object_names.Tail, stored: objects.StoredObject, seen: Callable[[str, bytes], None]) -> Range:
    seen(tail.name, stored.content)
    covered = segment(tail.name, stored.metadata)
    if hashlib.sha256(stored.content).hexdigest() != stored.metadata.get("sha256"):
        raise DamagedArchive("its SHA-256 is not that of when it was written")
    return Range(tail.topic_id, tail.partition, covered.start, covered.end, 1)


def _breaks(ranges: list[Range]) -> Iterator[Finding]:
    """Where a partition's objects do not adjoin: one is missing between, or two hold the same offsets."""
    by_partition = defaultdict(list)
    for part in ranges:
        by_partition[part.topic_id, part.partition].append(part)
    for (topic_id, partition), parts in sorted(by_partition.items()):
        place = f"topic={topic_id} p{partition:02d}"
        try:
            whole = merged(parts)
        except DamagedArchive as error:
            yield Finding("overlap", place, str(error))
            continue
        for before, after in zip(whole, whole[1:], strict=False):
            yield Finding("gap", place, f"no object covers offsets {before.end} to {after.start - 1}")
