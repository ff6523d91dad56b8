"""The relay's lanes in threads of the test."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumers import conf, database
from consumers.kafka import clients
from consumers.relay.lane import LaneWorker
from consumers.relay.lanes import ensure_lanes


@contextmanager
def relaying() -> Iterator[list[LaneWorker]]:
    """All lanes at work while the block runs."""
    with database.connect() as connection:
        ensure_lanes(connection, conf.relay_lanes(), lambda lane: None)
    numbers = clients.offsets_only(conf.relay_group())
    lanes = [LaneWorker(number, "test", numbers, lambda: False) for number in range(conf.relay_lanes())]
    for worker in lanes:
        worker.start()
    try:
        yield lanes
    finally:
        for worker in lanes:
            worker.stop()
        for worker in lanes:
            worker.join()
