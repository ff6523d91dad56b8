"""Repair of the archive: what was written comes back or is restored elsewhere, and what was found stays as evidence."""

from datetime import date

import pytest

from audittrail.archive import format, manifests, object_names, objects, reader, repair, seal, writer
from audittrail.archive.format import ArchivedEvent
from testkit.audittrail.archives import TOPIC, row, write
from testkit.audittrail.indexes import event

DAY = date(2026, 1, 1)


def itself(row: ArchivedEvent) -> ArchivedEvent:
    return row


def retitled(name: str, metadata: dict[str, str]) -> repair.Correction:
    """Change the titles in an object; what finds the event that was there before."""
    before = {each["offset"]: each for each in repair.rows(name)}
    changed: list[ArchivedEvent] = [{**each, "title": "Another"} for each in before.values()]
    objects.replace(name, format.to_parquet(format.table(changed)), metadata)
    return lambda row: before[row["offset"]]


@pytest.fixture
def tails(own_bucket) -> list[str]:
    """Names of three objects, of ten events each."""
    write([row(offset) for offset in range(30)])
    return objects.listed(object_names.TAIL)


def sealed() -> str:
    """Name of the one object of a sealed day."""
    (item,) = seal.seal(DAY).objects
    return item.name


def test_restored_events_are_read_and_sealed_like_any_other(tails):
    events = [event(9, sequence) for sequence in (1, 2, 3)]
    repair.write_restored(events)
    (name,) = set(reader.current()) - set(tails)
    assert [(each["article_id"], each["sequence"]) for each in repair.rows(name)] == [
        (each["article_id"], each["sequence"]) for each in events
    ]
    seal.seal(object_names.parse_tail(name).day)
    assert not list(reader.check())
    assert len(list(reader.events())) == 33


def test_restoring_the_same_events_twice_stores_them_once(tails):
    repair.write_restored([event(9, 1)])
    repair.write_restored([event(9, 1)])
    assert len(list(reader.events())) == 31


def test_restored_events_are_known_to_a_sink_that_reads_them_again(tails):
    lost = event(9, 1)
    repair.write_restored([lost])
    write([row(0, topic_id="before")])
    assert writer.archived_under_other_topics(TOPIC, date(2026, 1, 1), object_names.RESTORED) == {
        (lost["event_id"].bytes, lost["hash"])
    }


def test_a_gap_is_closed_and_the_partition_still_ends_where_it_did(tails):
    objects.delete(tails[1])
    (gap,) = repair.gaps()
    assert gap == (TOPIC, 7, 10, 20, DAY)
    repair.close_gap(gap)
    assert not list(reader.check())
    assert writer.ends(TOPIC, {7}) == {7: 30}


def test_a_gap_of_a_sealed_day_stays(tails):
    objects.delete(tails[1])
    seal.seal(DAY)
    (gap,) = repair.gaps()
    with pytest.raises(repair.CannotRepair, match="2026-01-01 is sealed"):
        repair.close_gap(gap)


def test_a_changed_tail_object_becomes_what_was_written(tails):
    written = objects.read(tails[0])
    assert repair.rebuild(tails[0], retitled(tails[0], written.metadata))
    assert objects.read(tails[0]) == written


def test_an_object_that_lost_events_keeps_its_place(tails):
    kept = objects.read(tails[1])
    objects.replace(tails[1], format.to_parquet(format.table([row(15)])), kept.metadata)
    assert not repair.rebuild(tails[1], itself)
    assert not list(reader.check())
    assert len(list(reader.events())) == 21


@pytest.mark.parametrize("content", [None, b"no Parquet"])
def test_a_sealed_object_is_rebuilt_from_its_tails(tails, content):
    name = sealed()
    written = objects.read(name)
    objects.delete(name) if content is None else objects.replace(name, content, {})
    repair.rebuild(name, itself)
    assert objects.read(name) == written
    assert [objects.read(kept).content for kept in objects.listed(repair.EVIDENCE)] == ([content] if content else [])


def test_a_sealed_object_without_tails_is_rebuilt_from_its_events(tails):
    name = sealed()
    written = objects.read(name)
    for gone in tails:
        objects.delete(gone)
    repair.rebuild(name, retitled(name, written.metadata))
    assert objects.read(name) == written


def test_a_sealed_object_that_cannot_be_rebuilt_is_left_as_it_is(tails):
    name = sealed()
    for gone in tails:
        objects.delete(gone)
    objects.replace(name, b"no Parquet", {})
    with pytest.raises(repair.CannotRepair, match="backup"):
        repair.rebuild(name, itself)
    assert objects.read(name).content == b"no Parquet"
    assert manifests.days() == [DAY]
