"""What is true of Kafka is true of the one in memory: each of these is shown by both."""

import time

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from consumers import conf
from consumers.kafka.protocols import GroupConsumer
from testkit.consumers.witness import ReadMessage
from testkit.waiting import DEADLINE, until

LOG_APPEND_TIME = 2


@pytest.fixture
def topic(kafka) -> str:
    name = f"{conf.prefix()}topic"
    kafka.create_topic(name, 2)
    return name


@pytest.fixture
def producer(kafka):
    """A producer of transactions, initialised."""
    producer = kafka.transactional_producer(f"{conf.prefix()}id")
    producer.init_transactions(10)
    return producer


@pytest.fixture
def consumer(kafka, topic):
    """A member that holds both partitions."""
    consumer = kafka.consumer(f"{conf.prefix()}group", "one")
    assigned: list[TopicPartition] = []
    consumer.subscribe([topic], on_assign=lambda _, partitions: assigned.extend(partitions))
    until(lambda: consumer.consume(1, 0.1) or assigned, what="an assignment")
    yield consumer
    consumer.close()


def values(messages: list[ReadMessage]) -> list[bytes]:
    return [message.value() for message in messages]


def read(consumer: GroupConsumer, count: int) -> list[bytes | None]:
    """The values of the next messages, so many."""
    found: list[bytes | None] = []
    deadline = time.monotonic() + DEADLINE
    while len(found) < count and time.monotonic() < deadline:
        found += [message.value() for message in consumer.consume(count, 0.1)]
    return found


def code(raised: pytest.ExceptionInfo[KafkaException]) -> int:
    return raised.value.args[0].code()


def test_messages_keep_what_they_were_given_and_get_the_time_of_their_arrival(kafka, topic):
    producer = kafka.producer()
    producer.produce(topic, b"v", b"k", 1, headers=[("a", b"b"), ("c", None)])
    assert producer.flush(10) == 0
    (message,) = kafka.messages(topic)
    assert (message.partition(), message.offset(), message.key(), message.value()) == (1, 0, b"k", b"v")
    assert message.headers() == [("a", b"b"), ("c", None)]
    assert message.timestamp()[0] == LOG_APPEND_TIME and message.timestamp()[1] > 1_700_000_000_000


def test_a_transaction_is_seen_once_it_is_committed_and_its_marker_takes_an_offset(kafka, topic, producer):
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    producer.flush(10)
    kafka.put(topic, [(0, b"2"), (1, b"3")])
    assert b"1" not in values(kafka.messages(topic))
    producer.commit_transaction(10)
    kafka.put(topic, [(0, b"4")])
    until(lambda: len(kafka.messages(topic)) == 4, what="all messages")
    found = kafka.messages(topic)
    assert [(each.value(), each.offset()) for each in found if each.partition() == 0] == [
        (b"1", 0),
        (b"2", 1),
        (b"4", 3),
    ]


def test_an_aborted_transaction_is_never_seen(kafka, topic, producer):
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    producer.flush(10)
    producer.abort_transaction(10)
    kafka.put(topic, [(0, b"2")])
    (message,) = until(lambda: kafka.messages(topic), what="the other message")
    assert (message.value(), message.offset()) == (b"2", 2)


def test_a_successor_aborts_what_its_predecessor_left_open_and_fences_it(kafka, topic, producer):
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    producer.flush(10)
    kafka.transactional_producer(f"{conf.prefix()}id").init_transactions(10)
    with pytest.raises(KafkaException) as raised:
        producer.commit_transaction(10)
    assert raised.value.args[0].fatal() and code(raised) == KafkaError._FENCED
    assert kafka.messages(topic) == []


def test_a_transaction_must_have_begun(topic, producer):
    with pytest.raises(KafkaException) as raised:
        producer.produce(topic, b"1", partition=0)
    assert code(raised) == KafkaError._STATE
    with pytest.raises(KafkaException) as raised:
        producer.commit_transaction(10)
    assert code(raised) == KafkaError._STATE


@pytest.mark.parametrize("committed", [True, False])
def test_offsets_of_a_transaction_count_once_it_is_committed(topic, producer, consumer, committed):
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    metadata = consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, 10)
    producer.commit_transaction(10) if committed else producer.abort_transaction(10)
    (position,) = consumer.committed([TopicPartition(topic, 0)], 10)
    assert position.offset == (7 if committed else OFFSET_INVALID)


def test_offsets_of_who_is_no_member_are_refused_and_the_producer_lives(kafka, topic, producer, consumer):
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    outsider = kafka.consumer(f"{conf.prefix()}group", "two").consumer_group_metadata()
    with pytest.raises(KafkaException) as raised:
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], outsider, 10)
    error = raised.value.args[0]
    assert error.txn_requires_abort() and not error.fatal()
    producer.abort_transaction(10)
    producer.begin_transaction()
    producer.abort_transaction(10)


def test_a_seek_reads_again_and_a_pause_reads_nothing(kafka, topic, consumer):
    kafka.put(topic, [(0, b"1"), (0, b"2")])
    assert read(consumer, 2) == [b"1", b"2"]
    consumer.seek(TopicPartition(topic, 0, 1))
    assert read(consumer, 1) == [b"2"]
    consumer.pause([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    kafka.put(topic, [(0, b"3")])
    assert [consumer.consume(1, 0.1) for _ in range(5)] == [[]] * 5
    consumer.resume([TopicPartition(topic, 0), TopicPartition(topic, 1)])
    assert read(consumer, 1) == [b"3"]


def test_what_is_not_assigned_cannot_be_sought(topic, consumer):
    with pytest.raises(KafkaException):
        consumer.seek(TopicPartition(topic, 9, 1))


def test_a_topic_has_another_id_when_it_is_made_anew(kafka, topic):
    before = kafka.topic_ids([topic])
    kafka.delete_topic(topic)
    with pytest.raises(KafkaException) as raised:
        until(lambda: kafka.topic_ids([topic]) and None, what="a topic that is gone")
    assert code(raised) == KafkaError.UNKNOWN_TOPIC_OR_PART
    kafka.create_topic(topic, 2)
    assert kafka.topic_ids([topic]) != before
