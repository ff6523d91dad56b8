"""The loop, turn by turn: each record comes out once, whatever comes between. In memory, and on real Kafka."""

import pytest
from confluent_kafka import KafkaError

from consumers import conf
from consumers.errors import Fenced
from consumers.models import DesiredState, ProcessState
from consumers.records import Partition
from consumers.runtime import loop
from testkit.consumers.copying import PARTITIONS, Copying, Storing, names, source
from testkit.kafka import errors
from testkit.kafka.faults import EVICTED, QUEUE_FULL, TIMED_OUT, Fault

MANY = 1_000_000


def all_held(process) -> bool:
    return len(process.loop.partitions) == PARTITIONS


def shared(first, second):
    """Whether two processes have half of the partitions each."""
    return lambda: len(first.loop.partitions) == len(second.loop.partitions) == PARTITIONS // 2


def test_copies_each_record_once_to_its_partition(copies):
    copies.put(*names(40))
    copies.start()
    copies.turn_until(lambda: copies.passed() == 40, "40 records")
    assert copies.copied() == names(40)
    assert all(
        int(message.value().decode()[1:]) % PARTITIONS == message.partition()
        for message in copies.kafka.messages(f"{conf.prefix()}target")
    )


def test_a_paused_stage_stays_a_member_and_reads_nothing_until_it_is_resumed(copies):
    process = copies.start()
    process.control.ask(DesiredState.PAUSED)
    copies.put(*names(8))
    copies.turn_until(lambda: all_held(process) and process.state == ProcessState.PAUSED, "a paused member")
    copies.turn_for(1)
    assert copies.copied() == [] and process.stage.attempts == [] and len(process.loop._batcher) == 0
    process.control.ask(DesiredState.RUNNING)
    copies.turn_until(lambda: copies.passed() == 8, "all records")
    assert copies.copied() == names(8) and process.state == ProcessState.RUNNING


def test_records_gathered_before_a_pause_wait_for_its_end(copies):
    process = copies.start(Copying(max_seconds=1))
    copies.turn_until(lambda: all_held(process), "all partitions")
    copies.put(*names(4))
    copies.turn_until(lambda: len(process.loop._batcher) == 4, "records gathered")
    process.control.ask(DesiredState.PAUSED)
    copies.turn_for(2)
    assert copies.copied() == []
    process.control.ask(DesiredState.RUNNING)
    copies.turn_until(lambda: copies.passed() == 4, "all records")
    assert copies.copied() == names(4)


def test_a_stopped_stage_ends_and_says_so(copies):
    process = copies.start()
    copies.put(*names(4))
    copies.turn_until(lambda: copies.passed() == 4, "all records")
    process.control.ask(DesiredState.STOPPED)
    process.loop.run()
    assert process.state == ProcessState.STOPPED and process.stage.is_closed


def test_a_partition_of_which_all_fails_halts_and_the_others_flow(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "10")
    process = copies.start()
    copies.put(*names(12, "bad"), partition=0)
    copies.turn_until(lambda: process.state == ProcessState.HALTED, "a halt")
    copies.put(*names(8), partition=1)
    copies.put(*names(4, "behind"), partition=0)
    copies.turn_until(lambda: len(copies.copied()) == 8, "the other partitions")
    (halt,) = process.control.report.halts
    assert (halt.partition, halt.first_offset, halt.last_offset, halt.records, halt.rejected) == (0, 0, 11, 12, 12)
    assert "12 messages in a row" in halt.reason and "12 messages in a row" in process.control.report.reason
    assert all_held(process) and copies.rejected() == []


def test_what_a_batch_has_of_healthy_partitions_is_delivered_though_another_halts(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "10")
    process = copies.start()
    copies.turn_until(lambda: all_held(process), "all partitions")
    copies.put(*names(12, "bad"), partition=0)
    copies.put(*names(12), partition=1)
    copies.turn_until(
        lambda: process.state == ProcessState.HALTED and len(copies.copied()) == 12, "a halt, and the rest"
    )
    assert copies.rejected() == []


def test_a_release_lets_the_batch_pass_and_nothing_else_does(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "10")
    bad = names(12, "bad")
    copies.put(*bad, partition=0)
    process = copies.start()
    copies.turn_until(lambda: process.state == ProcessState.HALTED, "a halt")
    for desired in (DesiredState.PAUSED, DesiredState.RUNNING):
        process.control.ask(desired)
        copies.turn_for(0.5)
    assert process.state == ProcessState.HALTED and copies.rejected() == []
    process.control.release()
    copies.turn_until(lambda: len(copies.rejected()) == 12, "dead letters")
    copies.put(*names(3, "bad-again"), *names(3), partition=0)
    copies.turn_until(lambda: len(copies.copied()) == 3, "the rest")
    assert copies.rejected() == sorted(bad + names(3, "bad-again")) and process.state == ProcessState.RUNNING


def test_a_process_that_starts_again_halts_again(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "3")
    copies.put(*names(3, "bad"), partition=0)
    first = copies.start()
    copies.turn_until(lambda: first.state == ProcessState.HALTED, "a halt")
    first.loop.close()
    copies.processes.remove(first)
    second = copies.start()
    copies.turn_until(lambda: second.state == ProcessState.HALTED, "a halt of the successor")
    assert copies.rejected() == []


def test_a_halted_partition_that_goes_to_another_member_halts_there(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "3")
    first = copies.start()
    copies.turn_until(lambda: all_held(first), "all partitions")
    for partition in range(PARTITIONS):
        copies.put(*names(3, f"bad{partition}"), partition=partition)
    copies.turn_until(lambda: len(first.control.report.halts) == PARTITIONS, "a halt of all")
    second = copies.start(slot=2)
    copies.turn_until(lambda: shared(first, second)() and len(second.control.report.halts) == 2, "halts of the second")
    assert len(first.control.report.halts) == 2 and copies.rejected() == []
    second.control.release()
    copies.turn_until(lambda: len(copies.rejected()) == 6, "what the second was to let pass")


def test_a_batch_let_through_does_not_halt_again_when_its_delivery_fails(copies, monkeypatch):
    monkeypatch.setenv("AUDIT_HALT_AFTER", "3")
    monkeypatch.setenv("AUDIT_RETRY_CAP", "1")
    fault = Fault("begin_transaction", TIMED_OUT, times=MANY)
    process = copies.start(faults=[fault])
    copies.put(*names(5, "bad"), partition=0)
    copies.turn_until(lambda: process.state == ProcessState.HALTED, "a halt")
    process.control.release()
    copies.turn_until(lambda: process.state == ProcessState.WAITING, "a delivery that fails")
    fault.times = 0
    copies.turn_until(lambda: len(copies.rejected()) == 5, "the batch without another halt")


def test_a_member_evicted_in_mid_batch_reads_its_batch_again(copies):
    copies.put(*names(30))
    fault = Fault("send_offsets_to_transaction", EVICTED)
    process = copies.start(faults=[fault])
    copies.turn_until(lambda: len(copies.copied()) == 30, "all records")
    copies.turn_for(0.5)
    assert fault.times == 0 and copies.copied() == names(30)
    assert sum(map(len, process.stage.attempts)) > 30 and len(process.producers) == 1


def test_a_rebalance_takes_what_was_gathered_to_the_other_member(copies):
    first = copies.start(Copying(max_records=40, max_seconds=600))
    copies.turn_until(lambda: all_held(first), "all partitions")
    copies.put(*names(36))
    copies.turn_until(lambda: len(first.loop._batcher) == 36, "a batch gathered")
    second = copies.start(Copying(), slot=2)
    copies.turn_until(lambda: shared(first, second)() and len(copies.copied()) == 18, "half with the second")
    assert not first.loop.partitions & second.loop.partitions and first.stage.attempts == []
    copies.put(*names(22, "more"), partition=min(first.loop.partitions).number)
    copies.turn_until(lambda: len(copies.copied()) == 58, "all records")
    copies.turn_for(0.5)
    assert copies.copied() == sorted(names(36) + names(22, "more"))


def test_what_is_revoked_in_mid_batch_is_neither_committed_nor_delivered_twice(copies):
    first = copies.start()
    first.stage.lacks = "the store is away"
    copies.turn_until(lambda: all_held(first), "all partitions")
    copies.put(*names(40))
    copies.turn_until(lambda: first.loop._batch and len(first.loop._batch.records) == 40, "a batch that waits")
    second = copies.start(slot=2)
    copies.turn_until(lambda: shared(first, second)() and len(copies.copied()) == 20, "half with the second")
    assert set(first.stage.forgotten) == second.loop.partitions
    assert {record.source for record in first.loop._batch.records} == first.loop.partitions
    first.stage.lacks = ""
    copies.turn_until(lambda: len(copies.copied()) == 40, "all records")
    copies.turn_for(0.5)
    assert copies.copied() == names(40)


@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_commit_in_doubt_is_settled_by_a_new_producer(copies, takes_effect):
    copies.put(*names(10))
    fault = Fault("commit_transaction", TIMED_OUT, takes_effect)
    process = copies.start(faults=[fault])
    copies.turn_until(lambda: copies.passed() == 10 and process.loop._batch is None, "all records")
    copies.turn_for(0.5)
    assert fault.times == 0 and copies.copied() == names(10)
    assert sum(map(len, process.stage.attempts)) == 10 and len(process.producers) == 2


@pytest.mark.parametrize("takes_effect", [True, False])
def test_offsets_in_doubt_are_settled_by_a_new_producer(copies, takes_effect):
    copies.put(*names(10))
    process = copies.start(faults=[Fault("send_offsets_to_transaction", TIMED_OUT, takes_effect)])
    copies.turn_until(lambda: copies.passed() == 10 and process.loop._batch is None, "all records")
    assert copies.copied() == names(10)


def test_a_full_queue_is_waited_for(copies):
    copies.put(*names(10))
    copies.start(faults=[Fault("produce", QUEUE_FULL, times=3)])
    copies.turn_until(lambda: copies.passed() == 10, "all records")
    assert copies.copied() == names(10)


def test_a_producer_whose_id_another_has_taken_ends_the_process(copies):
    process = copies.start()
    copies.turn_until(lambda: all_held(process), "all partitions")
    copies.kafka.transactional_producer(conf.transactional_id("copying-node-01")).init_transactions(10)
    copies.put(*names(4))
    with pytest.raises(Fenced):
        copies.turn_until(lambda: False, "the end")
    assert copies.copied() == []


def test_the_older_of_two_processes_in_one_slot_ends_and_the_younger_goes_on(copies):
    older = copies.start()
    copies.turn_until(lambda: all_held(older), "all partitions with the older process")
    younger = copies.start()
    copies.turn_until(lambda: all_held(younger), "all partitions with the younger process", younger)
    with pytest.raises(Fenced):
        copies.turn_until(lambda: False, "the end of the older process", older)
    copies.put(*names(8))
    copies.turn_until(lambda: copies.passed() == 8, "all records", younger)
    assert copies.copied() == names(8)


def test_a_topic_made_anew_under_the_name_ends_the_process(copies):
    copies.start()
    copies.put(*names(4))
    copies.turn_until(lambda: copies.passed() == 4, "all records")
    copies.kafka.delete_topic(source())
    copies.kafka.create_topic(source(), PARTITIONS)
    copies.put(*names(40, "other"))
    with pytest.raises(Fenced, match="was made anew"):
        copies.turn_until(lambda: False, "the end")
    assert copies.copied() == names(4)


def test_a_topic_that_is_missing_is_waited_for(copies):
    late = f"{source()}-late"
    process = copies.start(Copying(late))
    copies.turn_until(lambda: process.state == ProcessState.WAITING, "a process that waits")
    assert "run manage.py create_topics" in process.control.report.reason and not process.loop.partitions
    copies.kafka.create_topic(late, PARTITIONS)
    copies.kafka.put(late, [(0, b"n000")])
    copies.turn_until(lambda: copies.copied() == names(1), "the record")


def test_a_stage_that_is_not_ready_stays_a_member_and_delivers_the_same_batch_later(copies):
    process = copies.start()
    process.stage.lacks = "the store is away"
    copies.put(*names(8))
    copies.turn_until(lambda: len(process.stage.attempts) >= 3, "some attempts")
    assert process.state == ProcessState.WAITING and process.control.report.reason == "the store is away"
    assert all_held(process) and copies.copied() == []
    attempts = process.stage.attempts
    assert all(attempt == attempts[0] for attempt in attempts)
    process.stage.lacks = ""
    copies.turn_until(lambda: copies.passed() == 8, "all records")
    assert copies.copied() == names(8)


def test_a_stop_leaves_an_undelivered_batch_to_the_next_process(copies):
    first = copies.start()
    first.stage.lacks = "the store is away"
    copies.put(*names(8))
    copies.turn_until(lambda: first.state == ProcessState.WAITING, "a batch that waits")
    first.loop.stop()
    began = copies.kafka.clock.monotonic()
    first.loop.run()
    assert copies.kafka.clock.monotonic() - began < conf.shutdown_seconds()
    assert first.state == ProcessState.STOPPED and copies.passed() == 0
    second = copies.start()
    copies.turn_until(lambda: copies.passed() == 8, "all records", second)
    assert copies.copied() == names(8)


def test_partitions_start_where_the_stage_says_once_it_knows(copies):
    copies.put(*names(10), partition=2)
    process = copies.start()
    process.stage.starts = None
    copies.turn_until(lambda: all_held(process) and process.state == ProcessState.WAITING, "a member without positions")
    assert process.control.report.reason == "positions are not known" and process.stage.attempts == []
    process.stage.starts = {Partition(source(), 2): 7}
    copies.turn_until(lambda: len(copies.copied()) == 3, "the last three records")
    assert copies.copied() == names(10)[7:]


def test_where_the_stage_says_it_is_becomes_the_groups_position(copies):
    copies.put(*names(10), partition=2)
    process = copies.start()
    process.stage.starts = {Partition(source(), 2): 10}
    copies.turn_until(lambda: copies.passed() == 10, "a position that was never read")
    assert process.stage.attempts == []


def test_partitions_that_left_during_a_pause_flow_when_they_return(copies):
    first = copies.start()
    copies.turn_until(lambda: all_held(first), "all partitions")
    first.control.ask(DesiredState.PAUSED)
    second = copies.start(slot=2)
    copies.turn_until(shared(first, second), "half of the partitions with the second member")
    first.control.ask(DesiredState.RUNNING)
    second.loop.stop()
    second.loop.run()
    copies.turn_until(lambda: all_held(first), "all partitions back", first)
    copies.put(*names(8))
    copies.turn_until(lambda: copies.passed() == 8, "all records", first)


def test_what_a_sink_has_stored_is_committed_without_a_transaction(copies):
    copies.put(*names(8))
    process = copies.start(Storing(), faults=[Fault("begin_transaction", AssertionError("a transaction"))])
    copies.turn_until(lambda: copies.passed() == 8, "all records")
    assert sum(map(len, process.stage.attempts)) == 8 and copies.copied() == []


def test_dead_letters_are_in_the_transaction_of_the_offsets(copies):
    copies.put("n0", "bad1", "n2", "bad3", partition=0)
    copies.start(faults=[Fault("commit_transaction", errors.abortable(KafkaError.INVALID_TXN_STATE, "no"))])
    copies.turn_until(lambda: copies.passed() == 4, "all records")
    assert (copies.copied(), copies.rejected()) == (["n0", "n2"], ["bad1", "bad3"])


def holder_of_all(copies):
    """Another topic, of one partition, and the member in slot 2 that has it."""
    topic = f"{conf.prefix()}other"
    copies.kafka.create_topic(topic, 1)
    holder = copies.start(Copying(topic), slot=2)
    copies.turn_until(lambda: len(holder.loop.partitions) == 1, "a member that has all")
    return topic, holder


def test_a_member_whose_predecessor_was_given_nothing_gets_its_share(copies, monkeypatch):
    """Nothing, as there may be while its topics are missing: of a topic with one partition another has all."""
    monkeypatch.setattr(loop, "TOPIC_CHECK_SECONDS", 1.5)
    other, holder = holder_of_all(copies)
    empty = copies.start(Copying(other))
    copies.turn_for(0.5)
    assert len(empty.loop.partitions) == 0
    empty.loop.close()
    copies.processes.remove(empty)

    successor = copies.start()
    copies.turn_for(1)
    assert len(successor.loop.partitions) == 0, "a static member is given what its predecessor had"
    copies.turn_until(lambda: all_held(successor), "all partitions of its topic")
    assert len(holder.loop.partitions) == 1


def test_a_member_that_is_one_too_many_moves_nothing_and_asks_once(copies, monkeypatch):
    monkeypatch.setattr(loop, "TOPIC_CHECK_SECONDS", 0.5)
    other, holder = holder_of_all(copies)

    surplus = copies.start(Copying(other))
    copies.turn_for(4)

    assert holder.stage.forgotten == [] and len(holder.loop.partitions) == 1
    assert surplus.state == ProcessState.RUNNING and len(surplus.loop.partitions) == 0
