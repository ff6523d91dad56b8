"""Reading the archive: each event once, and whether every object is what it should be.

What counts is the sealed objects that manifests list, and the tail objects of days without a manifest; nothing else.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice, pairwise

import pyarrow as pa

from audittrail.archive import format, manifests, object_names, objects
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.manifests import DamagedManifest, Manifest, Range, Sealed
from audittrail.archive.object_names import Tail
from audittrail.archive.object_storage import StoredObject
from audittrail.archive.seal import merged
from audittrail.archive.writer import DamagedArchive, segment

FETCHED_AHEAD = 8
"""Objects fetched while one is looked at: the store takes longer to answer than most of them take to read."""

Seen = Callable[[str, bytes], None]
"""Is called with the name and the content of an object."""


@dataclass(frozen=True, slots=True)
class ObjectProblem:
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
    names = [(day, item.name) for day in sealed if day >= since for item in manifests.load(day).objects]
    tails = object_names.parsed(object_names.parse_tail, objects.listed(object_names.TAIL))
    names += [(tail.day, tail.name) for tail in tails if tail.day >= since and tail.day not in sealed]
    return [name for _, name in sorted(names)]


def tables(since: date | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The archive's events, an object at a time; `columns`: only these. Raises as `current`, and FileNotFoundError."""
    for fetched in _fetched(current(since)):
        yield format.from_parquet(fetched.result().content, columns)


def events(since: date | None = None) -> Iterator[ArchivedEvent]:
    """Every event once, as the codec gives it, with its origin; in no order. Raises as `tables`."""
    for table in tables(since):
        yield from format.events(table)


def check(seen: Seen = lambda name, content: None) -> Iterator[ObjectProblem]:
    """What is wrong with the archive's objects; nothing if all is well. Reads every object that counts, and hands its
    name and content to `seen`.

    A cut at the very end of a partition does not show here (nothing follows it): the sequences of the articles show it.
    Raises ObjectStoreUnavailable.
    """
    sealed: dict[date, Manifest] = {}
    yield from _load_manifests(sealed)
    yield from _check_sealed(sealed, seen)
    yield from _unlisted(sealed)
    ranges = [part for manifest in sealed.values() for item in manifest.objects for part in item.ranges]
    unsealed: list[Tail] = []
    yield from _list_tails(sealed, ranges, unsealed)
    yield from _check_tails(unsealed, ranges, seen)
    yield from _discontinuities(ranges)


def _fetched(wanted: Iterable[str]) -> Iterator[Future[StoredObject]]:
    """Each object, in order, being read or having been; the result raises as objects.read."""
    left = iter(wanted)
    with ThreadPoolExecutor(FETCHED_AHEAD, thread_name_prefix="archive") as pool:
        under_way = deque(pool.submit(objects.read, name) for name in islice(left, FETCHED_AHEAD))
        while under_way:
            yield under_way.popleft()
            under_way.extend(pool.submit(objects.read, name) for name in islice(left, 1))


def _load_manifests(sealed: dict[date, Manifest]) -> Iterator[ObjectProblem]:
    """Adds every manifest that can be read to `sealed`, by day."""
    for name in objects.listed(object_names.MANIFESTS):
        try:
            day = object_names.parse_manifest(name)
            sealed[day] = manifests.load(day)
        except (object_names.UnknownName, DamagedManifest) as error:
            yield ObjectProblem("unreadable", name, str(error))


def _check_sealed(sealed: dict[date, Manifest], seen: Seen) -> Iterator[ObjectProblem]:
    listed: list[tuple[date, Sealed]] = [(day, item) for day, manifest in sealed.items() for item in manifest.objects]
    for (day, item), fetched in zip(listed, _fetched(item.name for _, item in listed), strict=True):
        try:
            content = fetched.result().content
        except FileNotFoundError:
            yield ObjectProblem("missing", item.name, f"the manifest of {day} lists it with {item.events} events")
            continue
        seen(item.name, content)
        if hashlib.sha256(content).hexdigest() != item.sha256:
            yield ObjectProblem("changed", item.name, f"its SHA-256 is not that of the manifest of {day}")


def _unlisted(sealed: dict[date, Manifest]) -> Iterator[ObjectProblem]:
    """Sealed objects that no manifest lists; those of a day without a manifest are of a sealer that has not
    finished.
    """
    listed = {item.name for manifest in sealed.values() for item in manifest.objects}
    for name in objects.listed(object_names.EVENTS):
        try:
            day = object_names.parse_sealed(name)
        except object_names.UnknownName as error:
            yield ObjectProblem("added", name, str(error))
            continue
        if day in sealed and name not in listed:
            yield ObjectProblem("added", name, f"the manifest of {day} does not list it")


def _list_tails(sealed: dict[date, Manifest], ranges: list[Range], unsealed: list[Tail]) -> Iterator[ObjectProblem]:
    """Adds the tail objects of days without a manifest to `unsealed`; the others must be part of a sealed range."""
    for name in objects.listed(object_names.TAIL):
        try:
            tail = object_names.parse_tail(name)
        except object_names.UnknownName as error:
            yield ObjectProblem("added", name, str(error))
            continue
        if tail.day not in sealed:
            unsealed.append(tail)
        elif not any(_contains(part, tail) for part in ranges):
            yield ObjectProblem("added", name, f"{tail.day} is sealed without it: its events are not read")


def _contains(part: Range, tail: Tail) -> bool:
    return (part.topic_id, part.partition) == (tail.topic_id, tail.partition) and part.start <= tail.first < part.end


def _check_tails(unsealed: list[Tail], ranges: list[Range], seen: Seen) -> Iterator[ObjectProblem]:
    """Adds the offsets that sound tail objects cover to `ranges`."""
    for tail, fetched in zip(unsealed, _fetched(tail.name for tail in unsealed), strict=True):
        try:
            ranges.append(_checked_tail(tail, fetched.result(), seen))
        except DamagedArchive as error:
            yield ObjectProblem("changed", tail.name, str(error))


def _checked_tail(tail: Tail, stored: StoredObject, seen: Seen) -> Range:
    seen(tail.name, stored.content)
    covered = segment(tail.name, stored.metadata)
    if hashlib.sha256(stored.content).hexdigest() != stored.metadata.get("sha256"):
        raise DamagedArchive("its SHA-256 is not that of when it was written")
    return Range(tail.topic_id, tail.partition, covered.start, covered.end, 1)


def _discontinuities(ranges: list[Range]) -> Iterator[ObjectProblem]:
    """Where a partition's objects do not adjoin: one is missing between, or two hold the same offsets."""
    by_partition: defaultdict[tuple[str, int], list[Range]] = defaultdict(list)
    for part in ranges:
        by_partition[part.topic_id, part.partition].append(part)
    for (topic_id, partition), parts in sorted(by_partition.items()):
        place = f"topic={topic_id} p{partition:02d}"
        try:
            joined = merged(parts)
        except DamagedArchive as error:
            yield ObjectProblem("overlap", place, str(error))
            continue
        for before, after in pairwise(joined):
            yield ObjectProblem("gap", place, f"no object covers offsets {before.end} to {after.start - 1}")
