"""The transactional producer against a client that fails as librdkafka can: no service is needed."""

from contextlib import contextmanager
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumers import conf
from consumers.dead_letters import replay
from consumers.errors import Evicted, Fenced, NotReady
from consumers.kafka import clients, transactions
from consumers.kafka.protocols import DeliveryCallback, ProducerClient
from consumers.kafka.transactions import Offsets, TransactionalProducer
from consumers.records import Message, Record
from consumers.relay import publisher
from consumers.runtime import delivery
from consumers.runtime.batcher import Batch
from consumers.runtime.delivery import ExactlyOnce

MESSAGES = [Message("topic", number, b"key", b"value", {"name": b"header"}) for number in range(3)]
OFFSETS = Offsets([TopicPartition("topic", 0, 7)], lambda: "the group's metadata")
CALLS = ("init_transactions", "flush", "send_offsets_to_transaction", "commit_transaction", "abort_transaction")
"""Calls that wait for a broker."""

TIMED_OUT = KafkaError(KafkaError._TIMED_OUT, "late", False, True, False)
FENCED = KafkaError(KafkaError._FENCED, "another has the id", True, False, False)
ABORTABLE = KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "evicted", False, False, True)
UNDELIVERED = KafkaError(KafkaError._MSG_TIMED_OUT, "a message failed")


class Client(ProducerClient):
    """Notes what is asked of it in `log`, and raises what `errors` has for a call, each error once."""

    def __init__(self, log: list[str], errors: dict[str, list[Exception]], undelivered: list[KafkaError]):
        self.log, self.errors, self.undelivered, self.unconfirmed = log, errors, undelivered, 0
        self.reports: list[DeliveryCallback] = []

    def _asked(self, call: str) -> None:
        self.log.append(call)
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    def init_transactions(self, timeout: float = -1) -> None:
        self._asked("init_transactions")

    def begin_transaction(self) -> None:
        self._asked("begin_transaction")

    def send_offsets_to_transaction(self, positions, group_metadata, timeout: float = -1) -> None:
        self._asked("send_offsets_to_transaction")

    def commit_transaction(self, timeout: float = -1) -> None:
        self._asked("commit_transaction")

    def abort_transaction(self, timeout: float = -1) -> None:
        self._asked("abort_transaction")

    def purge(self) -> None:
        self._asked("purge")

    def poll(self, timeout: float = -1) -> int:
        self._asked("poll")
        return 0

    def produce(self, topic, value=None, key=None, partition=-1, *, on_delivery=None, headers=None) -> None:
        self._asked("produce")
        self.reports.append(on_delivery)

    def flush(self, timeout: float = -1) -> int:
        self._asked("flush")
        for report in self.reports:
            # The report of a real client has the message as well; nobody reads it.
            report(self.undelivered.pop(0) if self.undelivered else None, None)  # type: ignore[arg-type]  # see above
        self.reports.clear()
        return self.unconfirmed


class Kafka:
    """Makes clients that share a log; counts them, and notes a drop of one in doubt."""

    def __init__(self):
        self.log: list[str] = []
        self.errors: dict[str, list[Exception]] = {}
        self.undelivered: list[KafkaError] = []
        self.clients: list[Client] = []
        self.doubts = 0
        self.producer = TransactionalProducer(self.make, lambda: 9.0, self._doubt)

    def make(self, *_: object) -> Client:
        self.clients.append(Client(self.log, self.errors, self.undelivered))
        return self.clients[-1]

    def fail(self, call: str, error: KafkaError) -> None:
        self.errors.setdefault(call, []).append(KafkaException(error))

    def _doubt(self) -> None:
        self.doubts += 1


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


def test_the_steps_of_a_transaction(kafka):
    kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.log == [
        *("init_transactions", "begin_transaction", "produce", "produce", "produce", "flush"),
        *("send_offsets_to_transaction", "commit_transaction"),
    ]


def test_the_next_transaction_goes_through_the_same_client(kafka):
    kafka.producer.write(MESSAGES)
    kafka.producer.write(MESSAGES)
    assert len(kafka.clients) == 1 and kafka.doubts == 0
    assert "send_offsets_to_transaction" not in kafka.log


@pytest.mark.parametrize("call", ["begin_transaction", "send_offsets_to_transaction", "commit_transaction"])
def test_after_a_call_in_doubt_the_client_is_replaced_before_the_next_begin(kafka, call):
    kafka.fail(call, TIMED_OUT)
    with pytest.raises(KafkaException, match="late"):
        kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.doubts == 1 and "abort_transaction" not in kafka.log
    kafka.log.clear()

    kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.log[:2] == ["init_transactions", "begin_transaction"]
    assert len(kafka.clients) == 2


def test_a_transaction_that_can_be_aborted_is_and_the_client_stays(kafka):
    kafka.fail("send_offsets_to_transaction", ABORTABLE)
    with pytest.raises(KafkaException, match="evicted"):
        kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.log[-1] == "abort_transaction"

    kafka.producer.write(MESSAGES, OFFSETS)
    assert len(kafka.clients) == 1 and kafka.doubts == 0


def test_a_failed_abort_replaces_the_client(kafka):
    kafka.fail("commit_transaction", ABORTABLE)
    kafka.fail("abort_transaction", TIMED_OUT)
    with pytest.raises(KafkaException, match="evicted"):
        kafka.producer.write(MESSAGES)
    kafka.producer.write(MESSAGES)
    assert len(kafka.clients) == 2 and kafka.doubts == 1


def test_a_message_that_was_not_delivered_aborts_all(kafka):
    kafka.undelivered.append(UNDELIVERED)
    with pytest.raises(KafkaException, match="a message failed"):
        kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.log[-2:] == ["flush", "abort_transaction"]
    kafka.producer.write(MESSAGES, OFFSETS)
    assert len(kafka.clients) == 1


def test_an_abort_that_finds_the_client_fenced_says_so(kafka):
    kafka.undelivered.append(UNDELIVERED)
    kafka.fail("abort_transaction", FENCED)
    with pytest.raises(KafkaException, match="another has the id"):
        kafka.producer.write(MESSAGES)


def test_messages_not_confirmed_in_time_are_not_committed(kafka):
    kafka.producer.initialise()
    kafka.clients[0].unconfirmed = 2
    with pytest.raises(NotReady, match="Kafka has not confirmed 2 messages within 9 s"):
        kafka.producer.write(MESSAGES)
    assert "commit_transaction" not in kafka.log and kafka.doubts == 1


def test_a_full_queue_is_waited_for(kafka):
    kafka.errors["produce"] = [BufferError(), BufferError()]
    kafka.producer.write(MESSAGES)
    assert kafka.log[2:7] == ["produce", "poll", "produce", "poll", "produce"]


def test_a_queue_that_stays_full_is_given_up(kafka, monkeypatch):
    monkeypatch.setattr(conf, "transaction_timeout_seconds", lambda: -1.0)
    kafka.errors["produce"] = [BufferError()]
    with pytest.raises(NotReady, match="queue stays full"):
        kafka.producer.write(MESSAGES)
    assert kafka.doubts == 1


def test_a_client_that_could_not_be_initialised_is_not_used(kafka):
    kafka.fail("init_transactions", TIMED_OUT)
    with pytest.raises(KafkaException, match="late"):
        kafka.producer.initialise()
    kafka.producer.write(MESSAGES)
    assert kafka.log[:3] == ["init_transactions", "init_transactions", "begin_transaction"]


def test_what_is_unsent_is_dropped_with_the_client(kafka):
    kafka.producer.initialise()
    kafka.producer.close()
    kafka.producer.close()
    assert kafka.log == ["init_transactions", "purge", "flush"]


def test_the_watchdog_watches_each_call_that_waits(kafka, monkeypatch):
    watched, running = [], []

    @contextmanager
    def enforced(seconds: float, call: str):
        running.append(call)
        yield
        watched.append((running.pop(), seconds))

    monkeypatch.setattr(transactions, "enforced", enforced)
    kafka.undelivered.append(UNDELIVERED)
    with pytest.raises(KafkaException):
        kafka.producer.write(MESSAGES, OFFSETS)
    kafka.producer.write(MESSAGES, OFFSETS)
    assert {call for call, _ in watched} == set(CALLS)
    assert {seconds for _, seconds in watched} == {9.0}


def _fatal_amid_reports() -> SystemError:
    error = SystemError("delivered() returned a result with an exception set")
    error.__cause__ = KafkaException(FENCED)
    return error


@pytest.mark.parametrize("call", ["commit_transaction", "send_offsets_to_transaction", "poll"])
def test_a_fatal_error_amid_delivery_reports_is_raised_as_itself(kafka, call):
    kafka.errors["produce"] = [BufferError()]
    kafka.errors[call] = [_fatal_amid_reports()]
    with pytest.raises(KafkaException, match="another has the id"):
        kafka.producer.write(MESSAGES, OFFSETS)
    assert kafka.doubts == 1


@pytest.mark.parametrize("error", [_fatal_amid_reports(), KafkaException(FENCED)])
def test_what_a_client_raises_when_it_is_dropped_hides_nothing(kafka, error):
    kafka.fail("commit_transaction", TIMED_OUT)
    kafka.errors["purge"] = [error]
    with pytest.raises(KafkaException, match="late"):
        kafka.producer.write(MESSAGES)


# Those who write in transactions


class _Consumer:
    """A consumer whose group has committed nothing."""

    def consumer_group_metadata(self):
        return "the group's metadata"

    def committed(self, places, *_, **__):
        return places


CONSUMER = cast(Consumer, _Consumer())


def _delivery(kafka: Kafka) -> ExactlyOnce:
    return ExactlyOnce(CONSUMER, "enricher", kafka.make, lambda: 9.0)


def _batch() -> Batch:
    return Batch([Record("topic", 0, 6, 0, None, {}, b"value")])


@pytest.mark.parametrize(
    ("error", "meaning"), [(FENCED, Fenced), (ABORTABLE, Evicted), (TIMED_OUT, NotReady), (UNDELIVERED, NotReady)]
)
def test_what_a_failed_delivery_means_to_the_runtime(kafka, error, meaning):
    kafka.fail("commit_transaction", error)
    with pytest.raises(meaning):
        _delivery(kafka).deliver(_batch(), MESSAGES)


def test_a_fenced_delivery_ends_at_the_start_too(kafka):
    kafka.fail("init_transactions", FENCED)
    with pytest.raises(Fenced, match="Kafka: another has the id"):
        _delivery(kafka).ready()


def test_a_delivery_in_doubt_asks_for_the_committed_offsets_first(kafka):
    exactly_once, batch = _delivery(kafka), _batch()
    kafka.fail("commit_transaction", TIMED_OUT)
    with pytest.raises(NotReady, match="Kafka: transaction not committed: late"):
        exactly_once.deliver(batch, MESSAGES)
    kafka.log.clear()
    exactly_once.ready()
    # The group has committed nothing, so neither was the batch: it is written again.
    exactly_once.deliver(batch, MESSAGES)
    assert kafka.log[:2] == ["init_transactions", "begin_transaction"]
    assert kafka.log[-1] == "commit_transaction"


def test_the_replay_says_what_kafka_says(kafka, monkeypatch):
    monkeypatch.setattr(clients, "transactional_producer", kafka.make)
    kafka.fail("commit_transaction", TIMED_OUT)
    with pytest.raises(NotReady, match="Kafka: dead letters not written: late"):
        replay._write(MESSAGES)


# The settings that are really passed


class Recorded(Exception):
    """A client was about to be made with these settings."""


def _recorded(settings: dict):
    raise Recorded(settings)


def _settings_of(make) -> dict:
    with pytest.raises(Recorded) as recorded:
        make()
    return recorded.value.args[0]


@pytest.mark.parametrize(
    ("make", "identity", "own"),
    [
        (lambda: publisher.Publisher(3, CONSUMER), "relay-lane-3", {"retries": 7}),
        (lambda: replay._write(MESSAGES), "dead-letter-replay", {}),
        (lambda: delivery.make_delivery(CONSUMER, "enricher", "member-01", lambda: 9.0).ready(), "member-01", {}),
    ],
)
def test_each_transactional_producer_has_the_measured_settings(monkeypatch, make, identity, own):
    monkeypatch.setattr(clients, "Producer", _recorded)
    monkeypatch.setattr(conf, "kafka_bootstrap_servers", lambda: "nowhere:9092")
    wanted = {
        "retry.backoff.ms": 5,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 10,
        "compression.type": "lz4",
        "transaction.timeout.ms": int(conf.transaction_timeout_seconds() * 1000),
        "message.max.bytes": clients.LARGEST_MESSAGE,
    } | own
    settings = _settings_of(make)
    assert settings["transactional.id"].endswith(identity)
    assert {name: settings.get(name) for name in wanted} == wanted


def test_failures_are_reported_by_the_real_client_though_successes_are_not():
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "delivery.report.only.error": True, "log_level": 0})
    failures: list[KafkaError] = []
    transactions.produce_all(producer, MESSAGES, transactions.collecting(failures))
    producer.purge()
    producer.flush(1)
    assert [error.code() for error in failures] == [KafkaError._PURGE_QUEUE] * 3
