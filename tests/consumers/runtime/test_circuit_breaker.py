"""The circuit breaker: each partition is judged for itself, by its runs and by its share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.records import Outcome, Partition, Record, Rejection
from consumers.runtime.batcher import Batch
from consumers.runtime.circuit_breaker import CircuitBreaker, Limits

ONE, OTHER = Partition("t", 0), Partition("t", 1)


class Reading:
    """Batches of two partitions, whose offsets go on from batch to batch."""

    def __init__(self, run: int = 3, share: float = 1.0):
        self.breaker = CircuitBreaker(Limits(run, share))
        self._offsets = {ONE: 0, OTHER: 0}

    def batch(self, one: str, other: str = "") -> Batch:
        """`x` for a rejected record, `.` for an accepted one."""
        fates = [*((ONE, fate) for fate in one), *((OTHER, fate) for fate in other)]
        records = [self._record(partition) for partition, _ in fates]
        bad = [record for record, (_, fate) in zip(records, fates, strict=True) if fate == "x"]
        return Batch(records, Outcome(rejections=[Rejection(record, "bad", "why") for record in bad]))

    def deliver(self, one: str, other: str = "") -> None:
        self.breaker.record_delivered(self.batch(one, other))

    def poisoned(self, one: str, other: str = "") -> set[Partition]:
        return set(self.breaker.poisoned(self.batch(one, other)))

    def _record(self, partition: Partition) -> Record:
        self._offsets[partition] += 1
        return Record(*partition, self._offsets[partition] - 1, 0, None, {}, b"x")


@pytest.mark.parametrize(
    ("delivered", "next_batch", "is_poisoned"),
    [
        ([], "xx", False),
        ([], "xxx", True),
        ([], "xx.xx", False),
        ([], ".xxx.", True),
        (["xx"], "x", True),
        (["xx", "."], "xx", False),
        (["x.x"], ".", False),
    ],
)
def test_a_run_of_three_poisons_a_partition(delivered, next_batch, is_poisoned):
    reading = Reading()
    for fates in delivered:
        reading.deliver(fates)
    assert reading.poisoned(next_batch) == ({ONE} if is_poisoned else set())


def test_healthy_records_of_another_partition_end_no_run():
    reading = Reading()
    reading.deliver("xx", "....")
    assert reading.poisoned("x", "....") == {ONE}


def test_runs_of_two_partitions_do_not_add_up():
    assert Reading().poisoned("xx", "xx") == set()


@pytest.mark.parametrize(
    ("fates", "is_poisoned"), [("x.xxx.", False), ("xx.xx.", True), ("xx.x..", False), ("xx.xx", False)]
)
def test_more_than_half_of_the_last_six_poisons_a_partition_though_no_run_is_long(fates, is_poisoned):
    reading = Reading(run=3 if "xxx" not in fates else 4, share=0.5)
    assert (ONE in reading.poisoned(fates)) == is_poisoned


def test_a_share_is_taken_over_several_batches_and_falls_again():
    reading = Reading(share=0.5)
    for _ in range(3):
        reading.deliver("x.")
    assert reading.poisoned("xx") == {ONE}
    reading.deliver("......")
    assert reading.poisoned("xx") == set()


def test_records_that_can_be_processed_again_halt_nothing_whatever_came_before():
    reading = Reading(run=3, share=0.1)
    reading.deliver("xx")
    assert reading.poisoned(".....") == set()


def test_a_release_lets_its_batch_pass_and_counts_from_zero():
    reading = Reading()
    reading.deliver("xx")
    waiting = reading.batch("xxx")
    reading.breaker.release(ONE, waiting.records[-1].offset)
    assert reading.breaker.poisoned(waiting) == {}
    reading.breaker.record_delivered(waiting)
    assert reading.poisoned("xx") == set()
    assert reading.poisoned("xxx") == {ONE}


def test_what_was_lost_counts_from_zero_when_it_comes_back():
    reading = Reading()
    reading.deliver("xx", "xx")
    reading.breaker.forget([ONE])
    assert reading.poisoned("x", "x") == {OTHER}


@given(st.lists(st.text("x.", max_size=6), max_size=6))
def test_no_limit_never_halts(batches):
    reading = Reading(run=0)
    for fates in batches:
        assert reading.poisoned(fates) == set()
        reading.deliver(fates)


@given(st.lists(st.text("x.", min_size=1, max_size=6), min_size=1, max_size=8), st.integers(1, 4))
def test_where_batches_are_cut_decides_nothing(batches, run):
    """A partition is halted in some batch if, and only if, all of it in one batch would be."""
    cut, whole = Reading(run), Reading(run)
    found = False
    for fates in batches:
        batch = cut.batch(fates)
        found = found or bool(cut.breaker.poisoned(batch))
        cut.breaker.record_delivered(batch)
    assert found == bool(whole.poisoned("".join(batches)))
