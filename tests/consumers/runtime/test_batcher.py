"""Batches: pure rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.records import Partition, Record
from consumers.runtime.batcher import MAX_BYTES, Batch, Batcher


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(partition: int = 0, offset: int = 0, value: bytes = b"x") -> Record:
    return Record("t", partition, offset, 0, None, {}, value)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batcher(clock) -> Batcher:
    return Batcher(3, 2.0, clock)


def test_an_empty_batch_never_closes(batcher, clock):
    clock.now += 1000
    assert not batcher.closed() and batcher.seconds_left() is None


def test_closes_by_count(batcher):
    batcher.add([record()] * 2)
    assert not batcher.closed() and batcher.room == 1
    batcher.add([record()])
    assert batcher.closed() and batcher.room == 0


def test_closes_by_the_age_of_its_first_record(batcher, clock):
    batcher.add([record()])
    clock.now += 1.5
    batcher.add([record()])
    assert batcher.seconds_left() == 0.5 and not batcher.closed()
    clock.now += 0.5
    assert batcher.closed()


def test_closes_by_bytes(batcher):
    batcher.add([record(value=bytes(MAX_BYTES))])
    assert batcher.closed()


def test_small_polls_make_one_large_batch(clock):
    batcher = Batcher(100, 2.0, clock)
    for offset in range(99):
        batcher.add([record(offset=offset)])
        assert not batcher.closed()
    batcher.add([record(offset=99)])
    assert len(batcher.take().records) == 100 and len(batcher) == 0


PLACES = st.lists(st.integers(0, 3), max_size=30)


@given(places=PLACES, gone=st.sets(st.integers(0, 3)))
def test_dropping_partitions_keeps_exactly_the_rest_in_order(places, gone):
    records = [record(partition, offset) for offset, partition in enumerate(places)]
    lost = {Partition("t", number) for number in gone}
    batcher = Batcher(1000, 1.0, Clock())
    batcher.add(records)
    batcher.drop(lost)
    rest = [each for each in records if each.partition not in gone]
    assert batcher.take().records == rest
    assert Batch(records).without(lost).records == rest


@given(places=PLACES)
def test_a_batch_commits_after_the_last_and_rewinds_to_the_first_of_each_partition(places):
    batch = Batch([record(partition, offset) for offset, partition in enumerate(places)])
    for partition in set(places):
        offsets = [offset for offset, place in enumerate(places) if place == partition]
        assert batch.starts()[Partition("t", partition)] == offsets[0]
        assert batch.ends()[Partition("t", partition)] == offsets[-1] + 1
