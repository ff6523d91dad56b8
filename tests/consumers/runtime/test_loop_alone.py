"""What of the loop only an in-memory broker can show: evictions, lost partitions, delays, the passing of time."""

import itertools
from collections.abc import Callable

import pytest

from consumers import conf
from consumers.models import DesiredState, ProcessState
from consumers.runtime.delivery import AtLeastOnce
from consumers.runtime.shutdown import CALL_SECONDS, Shutdown
from testkit.consumers.copying import PARTITIONS, Copies, Copying, names
from testkit.consumers.idempotency import InMemoryKeys
from testkit.kafka.clock import ManualClock
from testkit.kafka.faults import TIMED_OUT, Fault


@pytest.fixture
def copies(memory) -> Copies:
    return Copies(memory)


@pytest.fixture
def evict(memory) -> Callable[[], None]:
    """Puts the process in slot 1 out of its group."""
    return lambda: memory.broker.evict(conf.group("copying"), "copying-node-01")


def test_what_was_gathered_for_lost_partitions_is_read_again_and_never_committed(copies, evict):
    process = copies.start(Copying(max_seconds=5))
    copies.put(*names(8))
    copies.turn_until(lambda: len(process.loop._batcher) == 8, "a batch gathered")
    evict()
    process.loop.turn()
    assert len(process.stage.forgotten) == PARTITIONS and copies.passed() == 0
    copies.turn_until(lambda: copies.passed() == 8, "all records")
    assert copies.copied() == names(8) and len(process.stage.attempts) == 1


def test_a_member_that_is_evicted_while_it_processes_delivers_nothing_of_its_batch(copies, evict):
    class Slow(Copying):
        def process(self, records):
            if not self.attempts:
                evict()
            return super().process(records)

    process = copies.start(Slow())
    copies.put(*names(8))
    copies.turn_until(lambda: len(process.stage.attempts) == 2, "a second attempt")
    copies.turn_until(lambda: copies.passed() == 8, "all records")
    assert copies.copied() == names(8)


def test_what_a_member_lost_is_delivered_by_the_other_alone(copies, evict):
    first, second = copies.start(Copying(max_seconds=600)), copies.start(slot=2)
    copies.turn_until(lambda: len(second.loop.partitions) == 2, "half of the partitions with each")
    copies.put(*names(8))
    copies.turn_until(lambda: len(first.loop._batcher) == 4, "a batch gathered")
    evict()
    copies.turn_until(lambda: len(second.loop.partitions) == PARTITIONS, "all with the second", second)
    copies.turn_until(lambda: copies.passed() == 8, "all records", second)
    first.loop.turn()
    assert len(first.loop._batcher) == 0 and copies.copied() == names(8)


def test_attempts_come_after_growing_delays_up_to_a_cap(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_RETRY_CAP", "2")
    times: list[float] = []

    class Timed(Copying):
        def process(self, records):
            times.append(copies.kafka.clock.monotonic())
            return super().process(records)

    process = copies.start(Timed())
    process.stage.lacks = "the store is away"
    copies.put(*names(4))
    copies.turn_until(lambda: len(times) == 8, "eight attempts")
    delays = [later - sooner for sooner, later in itertools.pairwise(times)]
    wanted = [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2]
    # An attempt is made in the first turn after its time, and a turn takes up to a tenth of a second.
    assert all(want <= delay + 1e-6 < want + 0.11 for want, delay in zip(wanted, delays, strict=True))


def test_delays_begin_at_the_shortest_after_a_success(copies):
    process = copies.start()
    process.stage.lacks = "the store is away"
    copies.put(*names(4))
    copies.turn_until(lambda: len(process.stage.attempts) == 5, "five attempts")
    process.stage.lacks = ""
    copies.turn_until(lambda: copies.passed() == 4, "all records")
    assert process.loop.waits_for == ""
    process.stage.lacks = "again"
    copies.put(*names(4, "m"))
    copies.turn_until(lambda: len(process.stage.attempts) == 7, "an attempt more")
    began = copies.kafka.clock.monotonic()
    copies.turn_until(lambda: len(process.stage.attempts) == 8, "another")
    assert copies.kafka.clock.monotonic() - began < 0.35


def test_calls_take_no_longer_than_a_shutdown_has_left(monkeypatch):
    monkeypatch.setenv("AUDIT_SHUTDOWN_SECONDS", "5")
    clock = ManualClock()
    shutdown = Shutdown(clock)
    assert (shutdown.requested, shutdown.remaining()) == (False, CALL_SECONDS)
    shutdown.request()
    clock.sleep(3)
    shutdown.request()
    assert shutdown.requested and shutdown.remaining() == pytest.approx(2)
    clock.sleep(9)
    assert shutdown.remaining() == pytest.approx(0.1)


def test_a_process_that_waits_before_it_has_joined_ends_when_it_is_stopped(copies):
    process = copies.start(Copying(f"{conf.prefix()}nowhere"))
    process.loop.turn()
    assert process.state == ProcessState.WAITING
    process.control.ask(DesiredState.STOPPED)
    process.loop.run()
    assert process.state == ProcessState.STOPPED and process.stage.is_closed


def test_a_successor_waits_for_the_open_transaction_of_its_predecessor_and_aborts_it(copies):
    copies.put(*names(4))
    dead = copies.start(faults=[Fault("commit_transaction", TIMED_OUT)])
    copies.turn_until(lambda: len(dead.stage.attempts) == 1, "a transaction that stays open")
    heir = copies.start()
    copies.turn_until(lambda: copies.passed() == 4, "all records", heir)
    assert copies.copied() == names(4)


@pytest.mark.parametrize("remembered", [True, False])
def test_at_least_once_drops_repeats_by_their_keys(copies, remembered):
    keys = InMemoryKeys(remembered)
    for _ in range(2):
        copies.put(*names(8))
    copies.start(
        delivery=lambda consumer, shutdown: AtLeastOnce(consumer, copies.kafka.producer(), keys, shutdown.remaining)
    )
    copies.turn_until(lambda: copies.passed() == 16, "all records")
    assert copies.copied() == sorted(names(8) * (1 if remembered else 2))


def test_what_is_rejected_under_at_least_once_comes_again_when_it_is_replayed(copies):
    keys = InMemoryKeys()
    copies.put("bad1", "n0", "bad1", partition=0)
    copies.start(
        delivery=lambda consumer, shutdown: AtLeastOnce(consumer, copies.kafka.producer(), keys, shutdown.remaining)
    )
    copies.turn_until(lambda: copies.passed() == 3, "all records")
    copies.put("bad1", "n0", partition=0)
    copies.turn_until(lambda: copies.passed() == 5, "what is replayed")
    assert (copies.copied(), copies.rejected()) == (["n0"], ["bad1", "bad1"])
