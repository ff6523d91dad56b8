"""Lag, as Kafka tells it."""

import pytest
from confluent_kafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumers import conf
from consumers.kafka import clients, consumer_lag
from consumers.records import Partition
from testkit.waiting import until


@pytest.mark.parametrize(
    ("first", "end", "position", "expected"),
    [
        (0, 10, 4, 6),
        (0, 10, 10, 0),
        (0, 10, None, 10),
        (6, 10, 4, 4),
        (6, 10, None, 4),
        (0, 5, 9, 0),
        (None, 10, 4, None),
        (0, None, 4, None),
    ],
)
def test_the_lag_of_a_partition(first, end, position, expected):
    assert consumer_lag.behind(first, end, position) == expected


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 1000) | st.none(), min_size=1))
def test_a_part_that_cannot_be_told_makes_the_whole_unknown(lags):
    assert (consumer_lag.total(lags) is None) == (None in lags.values())


def _write(*values: bytes) -> None:
    producer = clients.transactional_producer(conf.transactional_id("test"))
    producer.init_transactions(15)
    producer.begin_transaction()
    for value in values:
        producer.produce(conf.raw_topic(), value, partition=0)
    producer.commit_transaction(15)
    # The marker that lets readers see a transaction is written after its commit is confirmed.
    place = Partition(conf.raw_topic(), 0)
    until(
        lambda: consumer_lag.bounds(clients.admin(), [place.topic]).end[place] == len(values) + 1,
        what="the transaction's marker",
    )


def _read_up_to(offset: int) -> None:
    clients.offsets_only(conf.group("processor")).commit(
        offsets=[TopicPartition(conf.raw_topic(), 0, offset)], asynchronous=False
    )


def _lag_of_enricher() -> dict[Partition, int | None]:
    within = consumer_lag.bounds(clients.admin(), [conf.raw_topic()])
    return consumer_lag.by_partition(
        [conf.raw_topic()], within, consumer_lag.committed(conf.group("processor"), within.first)
    )


def test_a_transactions_marker_is_no_lag(own_trail):
    _write(b"one", b"two")
    _read_up_to(2)

    assert consumer_lag.total(_lag_of_enricher()) == 0


def test_one_message_and_its_marker_are_lag(own_trail):
    _write(b"one", b"two")
    _read_up_to(1)

    assert consumer_lag.total(_lag_of_enricher()) not in (None, 0)


def test_a_group_that_never_committed_has_everything_before_it(own_trail):
    _write(b"one", b"two")

    assert _lag_of_enricher()[Partition(conf.raw_topic(), 0)] == 3


def test_a_topic_that_is_missing_has_no_partitions(own_trail):
    assert consumer_lag.bounds(clients.admin(), ["nowhere"]) == consumer_lag.Bounds({}, {})


def test_a_group_that_never_was_has_no_members(own_trail):
    state, members = consumer_lag.members(clients.admin(), [conf.group("archive")])[conf.group("archive")]

    assert (state, members) == ("DEAD", [])
