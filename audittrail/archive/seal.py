"""Sealing a day: its many tail objects become one sorted object for each partition, then a manifest says that this is
the day.

Whether every partition has passed the day is for the caller to know. Any number of sealers may race, freeze or die:
objects and manifest are created once, and a sealed object found in place is used only if it holds the same events.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby

import pyarrow as pa

from audittrail.archive import format, manifests, object_names, objects
from audittrail.archive.manifests import Manifest, Range, Sealed
from audittrail.archive.writer import DamagedArchive, segment


def open_days() -> list[date]:
    """Days that have a tail and no manifest, oldest first. Raises ObjectStoreUnavailable."""
    days = {tail.day for tail in object_names.parsed(object_names.parse_tail, objects.listed(object_names.TAIL))}
    return sorted(days - set(manifests.days()))


def tails(day: date) -> list[object_names.Tail]:
    """The tail objects of a day, by topic, partition and offset. Raises ObjectStoreUnavailable."""
    prefixes = (f"{topic}date={day}/" for topic in objects.folders(object_names.TAIL))
    return sorted(
        tail for prefix in prefixes for tail in object_names.parsed(object_names.parse_tail, objects.listed(prefix))
    )


def seal(day: date) -> Manifest:
    """Seal a day whose tail is complete; the manifest in force, ours or that of a quicker sealer.

    Raises DamagedArchive if objects overlap, are incomplete or differ from what is sealed already;
    ObjectStoreUnavailable.
    """
    by_partition = sorted(tails(day), key=lambda tail: (tail.partition, tail))
    sealed = tuple(
        _seal_partition(day, number, list(some))
        for number, some in groupby(by_partition, key=lambda tail: tail.partition)
    )
    manifest = Manifest(
        str(day), datetime.now(UTC).isoformat(timespec="seconds"), sum(item.events for item in sealed), sealed
    )
    if objects.create_once(object_names.manifest(day), manifest.to_json(), {}):
        return manifest
    return manifests.load(day)


def _seal_partition(day: date, partition: int, tails: list[object_names.Tail]) -> Sealed:
    events, ranges = combined(tails)
    name = object_names.sealed(day, partition)
    content = _created_or_found(name, events)
    return Sealed(name, hashlib.sha256(content).hexdigest(), len(content), len(events), tuple(ranges))


def combined(tails: list[object_names.Tail]) -> tuple[pa.Table, list[Range]]:
    """A partition's events of a day, in order of article and sequence, and the offsets they cover.

    Raises DamagedArchive, FileNotFoundError, ObjectStoreUnavailable.
    """
    tables, ranges = [], []
    for _, some in groupby(tails, key=lambda tail: tail.topic_id):
        loaded = [_load(tail) for tail in some]
        tables += [table for table, _ in loaded]
        ranges += merged([covered for _, covered in loaded])
    # Objects written under an older contract lack the columns that came later.
    events = pa.concat_tables(tables, promote_options="default")
    return events.sort_by([("article_id", "ascending"), ("sequence", "ascending"), ("offset", "ascending")]), ranges


def _load(tail: object_names.Tail) -> tuple[pa.Table, Range]:
    stored = objects.read(tail.name)
    covered = segment(tail.name, stored.metadata)
    if hashlib.sha256(stored.content).hexdigest() != stored.metadata.get("sha256"):
        raise DamagedArchive(f"{tail.name} is not what was written: its SHA-256 differs.")
    return format.from_parquet(stored.content), Range(tail.topic_id, tail.partition, covered.start, covered.end, 1)


def merged(covered: list[Range]) -> list[Range]:
    """Adjoining ranges of one topic's partition as one. Raises DamagedArchive where they overlap."""
    joined: list[Range] = []
    for part in sorted(covered, key=lambda part: part.start):
        if not joined or part.start > joined[-1].end:
            joined.append(part)
        elif part.start < joined[-1].end:
            raise DamagedArchive(
                f"topic {part.topic_id}, partition {part.partition}: one object ends at offset {joined[-1].end}, "
                f"another goes on from {part.start}."
            )
        else:
            joined[-1] = replace(joined[-1], end=part.end, tails=joined[-1].tails + part.tails)
    return joined


def _created_or_found(name: str, events: pa.Table) -> bytes:
    """The content of the object of that name: these events, written now or by an earlier sealer."""
    content = format.to_parquet(events)
    if objects.create_once(name, content, {"sha256": hashlib.sha256(content).hexdigest()}):
        return content
    found = objects.read(name).content
    if not format.from_parquet(found).equals(events):
        raise DamagedArchive(f"{name} exists and holds other events than the day's tail.")
    return found


def superfluous_tails(before: date) -> list[str]:
    """Tail objects of sealed days before a day, whose sealed objects are in place and unchanged.

    Raises DamagedArchive, naming the object, where they are not.
    """
    sealed = {day for day in manifests.days() if day < before}
    for day in sorted(sealed):
        _check_objects(manifests.load(day))
    return [
        tail.name
        for tail in object_names.parsed(object_names.parse_tail, objects.listed(object_names.TAIL))
        if tail.day in sealed
    ]


def _check_objects(manifest: Manifest) -> None:
    for sealed in manifest.objects:
        try:
            content = objects.read(sealed.name).content
        except FileNotFoundError:
            raise DamagedArchive(f"{sealed.name} is missing, though the manifest of {manifest.day} lists it.") from None
        if hashlib.sha256(content).hexdigest() != sealed.sha256:
            raise DamagedArchive(f"{sealed.name} is not what the manifest of {manifest.day} says: its SHA-256 differs.")
