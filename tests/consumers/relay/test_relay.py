"""The relay: what it publishes, what it sets aside, who may publish, and when it refuses to."""

import random
from datetime import UTC, datetime

import psycopg
import pytest
from django.conf import settings
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from audittrail import contracts
from audittrail.archive import large_payloads
from audittrail.contracts.codec import Codec
from audittrail.events.event import Event
from audittrail.models import Head, OutboxEvent
from consumers import conf, database
from consumers.kafka import clients
from consumers.kafka.schema_registry import schemas
from consumers.models import ProcessState, RelayLane
from consumers.relay.keys import STRATEGIES, lane_partitions, partition_of
from consumers.relay.lane import LaneReport, LaneWorker
from consumers.relay.lanes import ensure_lanes
from consumers.relay.recovery import LaneHalted, Progress, Recovery, recovery
from consumers.relay.runner import lanes_of, summary
from consumers.relay.store import LanesInUse, LaneStore, LeaseLost
from newsroom.models import Article, Tag
from testkit.audittrail.events import raw_event
from testkit.consumers.witness import committed, pending, published, some_articles
from testkit.waiting import until

# Pure rules


@pytest.mark.parametrize(
    ("progress", "number", "expected"),
    [
        (Progress(0, None), None, Recovery.PUBLISH),
        (Progress(0, 1, (7,)), None, Recovery.PUBLISH),
        (Progress(0, 1, (7,)), 1, Recovery.FINISH),
        (Progress(4, 5, (7,)), 4, Recovery.PUBLISH),
        (Progress(4, 5, (7,)), 5, Recovery.FINISH),
        (Progress(4, None), 4, Recovery.PUBLISH),
    ],
)
def test_the_batch_number_in_kafka_decides_what_becomes_of_the_batch(progress, number, expected):
    assert recovery(progress, number) is expected


@pytest.mark.parametrize(
    ("progress", "number", "says"),
    [
        (Progress(4, None), None, "no batch number"),
        (Progress(4, 5, (7,)), None, "no batch number"),
        (Progress(4, None), 5, "ahead of"),
        (Progress(4, 5, (7,)), 6, "ahead of"),
        (Progress(4, None), 3, "behind"),
        (Progress(0, None), 9, "ahead of"),
    ],
)
def test_a_contradiction_between_kafka_and_postgresql_halts(progress, number, says):
    with pytest.raises(LaneHalted, match=says):
        recovery(progress, number)


@given(st.integers(1, 16), st.integers(1, 64))
def test_every_partition_belongs_to_one_lane(lanes, partitions):
    owned = [number for lane in range(lanes) for number in lane_partitions(lane, lanes, partitions)]

    assert sorted(owned) == list(range(partitions))


@given(st.binary(min_size=1), st.integers(1, 12))
def test_a_key_always_has_the_same_partition_of_its_lane(key, count):
    own = range(0, count * 4, 4)

    assert partition_of(key, own) == partition_of(key, own) in own


def test_the_partition_of_a_key_is_pinned():
    assert [partition_of(key, range(24)) for key in (b"newsroom.article:1", b"newsroom.article:2", b"")] == [12, 11, 12]


def test_the_hour_of_recording_spreads_an_article():
    event = raw_event(article_id="newsroom.article:1", recorded_at=datetime(2026, 3, 1, 9, 59, tzinfo=UTC))

    assert STRATEGIES["article_hour"]()(event) == "newsroom.article:1|2026-03-01T09"


@given(st.integers(1, 8), st.integers(1, 16))
def test_every_lane_belongs_to_one_process(processes, lanes):
    taken = [lane for slot in range(1, processes + 1) for lane in lanes_of(slot, processes, lanes)]

    assert sorted(taken) == list(range(lanes))


def test_a_process_is_in_the_worst_state_of_its_lanes_and_says_which():
    reports = {
        0: LaneReport(ProcessState.RUNNING),
        1: LaneReport(ProcessState.WAITING, "Kafka is away"),
        2: LaneReport(ProcessState.WAITING, "Kafka is away"),
    }

    assert summary(reports) == LaneReport(ProcessState.WAITING, "lane 1, 2: Kafka is away")


# Real services


@pytest.fixture
def relay(own_trail, monkeypatch):
    """Starts lanes on demand; ends those it started."""
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    workers, numbers = [], clients.offsets_only(conf.relay_group())

    def start(holder: str = "test", paused=lambda: False) -> list[LaneWorker]:
        with database.connect() as connection:
            ensure_lanes(connection, conf.relay_lanes(), lambda lane: None)
        started = [LaneWorker(lane, holder, numbers, paused) for lane in range(conf.relay_lanes())]
        for worker in started:
            worker.start()
        workers.extend(started)
        return started

    yield start
    _end(workers)


def _end(workers: list[LaneWorker]) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join(20)


def _drained() -> None:
    until(lambda: not pending(), what="a drained outbox")


def _decode(message) -> Event:
    return Codec(contracts.RAW, contracts.latest(contracts.RAW), 0).decode(message.value(), schemas().by_id)


def _as_owner(statement: str, *parameters) -> None:
    owner = settings.DATABASES["owner"]
    place = {
        "host": owner["HOST"],
        "port": owner["PORT"],
        "user": owner["USER"],
        "password": owner["PASSWORD"],
        "dbname": owner["NAME"],
    }
    with psycopg.connect(**place) as connection:
        connection.execute(statement, parameters)


def test_one_save_with_headline_and_tags_is_one_message(relay):
    article = some_articles(1)[0]
    with transaction.atomic():
        Article.objects.filter(pk=article.pk).update(headline="Another", body="Some other words.")
        article.tags.set([Tag.objects.create(name="politics"), Tag.objects.create(name="london")])

    relay()
    _drained()

    events = sorted((_decode(message) for message in committed(conf.raw_topic())), key=lambda event: event["sequence"])
    assert [event["sequence"] for event in events] == [1, 2]
    assert {change["field"]: change["kind"] for change in events[1]["changes"]} == {
        "headline": "scalar",
        "body": "text",
        "tags": "relation",
    }


def test_what_is_saved_soon_after_a_batch_shares_the_next(relay, monkeypatch):
    monkeypatch.setenv("AUDIT_RELAY_INTERVAL", "4")
    article = some_articles(1)[0]
    relay()
    _drained()

    for number in range(5):
        Article.objects.filter(pk=article.pk).update(headline=f"Edition {number}")
    _drained()

    until(lambda: not RelayLane.objects.filter(intent__isnull=False).exists(), what="batches that are done")
    assert sum(RelayLane.objects.values_list("done", flat=True)) == 2
    assert len(committed(conf.raw_topic())) == 6


def test_a_message_carries_cloudevents_attributes(relay):
    article = some_articles(1)[0]

    relay()
    _drained()

    headers = {name: value.decode() for name, value in committed(conf.raw_topic())[0].headers()}
    row = OutboxEvent.objects.get()
    assert headers["ce_id"] == str(row.event_id)
    assert headers["ce_subject"] == f"newsroom.article:{article.pk}"
    assert headers["ce_type"] == "audittrail.create"
    assert headers["ce_specversion"] == "1.0"
    assert datetime.fromisoformat(headers["ce_time"]) == row.occurred_at


def test_a_large_event_goes_by_reference(relay):
    from audittrail.archive.object_storage import archive_storage

    archive_storage.ensure_bucket()
    article = some_articles(1)[0]
    body = "".join(random.Random(1).choices("abcdefgh ", k=200_000))
    Article.objects.filter(pk=article.pk).update(body=body)

    relay()
    _drained()

    messages = committed(conf.raw_topic())
    large = next(event for event in map(_decode, messages) if event["sequence"] == 2)
    assert max(len(message.value()) for message in messages) < 2000
    assert large["changes"] == []
    whole = large_payloads.resolve(
        large, lambda data: Codec(contracts.RAW, contracts.latest(contracts.RAW), 0).decode(data, schemas().by_id)
    )
    assert whole["changes"][0]["field"] == "body"


def test_an_invalid_event_is_set_aside_and_the_article_goes_on(relay):
    article = some_articles(1)[0]
    Article.objects.filter(pk=article.pk).update(headline="Second")
    Article.objects.filter(pk=article.pk).update(headline="Third")
    _as_owner("UPDATE audittrail_outboxevent SET salt = '\\x00' WHERE sequence = 2")

    relay()
    _drained()

    assert [sequence for _, sequence in published()] == [1, 3]
    assert "salt: has 1 bytes" in str(OutboxEvent.objects.get(sequence=2).set_aside)
    assert Head.objects.get().keyframe_due


def test_a_paused_relay_publishes_nothing(relay):
    some_articles(3)

    workers = relay(paused=lambda: True)
    until(lambda: all(worker.report.state == "paused" for worker in workers), what="a pause")

    assert pending() == 3
    assert published() == []


def test_a_lane_halts_when_kafka_is_ahead(relay):
    some_articles(8)
    first = relay()
    _drained()
    _end(first)
    RelayLane.objects.using("pipeline").update(done=0)

    workers = relay()

    until(lambda: all(worker.report.state == "halted" for worker in workers), what="a halt")
    assert "Kafka is ahead of PostgreSQL" in workers[0].report.reason


def test_a_lane_waits_for_the_topic_and_says_so(relay, monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", "nowhere-")

    workers = relay()

    until(lambda: all("create_topics" in worker.report.reason for worker in workers), what="a reason")


@pytest.fixture
def lanes(fresh_database, monkeypatch):
    """Two stores on two lanes, without Kafka."""
    with database.connect() as one, database.connect() as two:
        ensure_lanes(one, 2, lambda lane: None)
        yield LaneStore(one, 2), LaneStore(two, 2)


def test_a_lane_is_leased_to_one_process_at_a_time(lanes):
    one, two = lanes
    assert one.acquire(0, "one")

    assert two.acquire(0, "two") is None


def test_a_restarted_process_takes_its_lease_back_at_once(lanes):
    one, two = lanes
    before = one.acquire(0, "one")

    assert two.acquire(0, "one").token > before.token


def test_what_a_frozen_predecessor_does_has_no_effect(lanes):
    one, two = lanes
    old = one.acquire(0, "one")
    RelayLane.objects.using("pipeline").update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    two.acquire(0, "two")

    for late in (lambda: one.intend(old, [1], []), lambda: one.finish(old), lambda: one.progress(old)):
        with pytest.raises(LeaseLost):
            late()


def test_a_batch_is_bounded_in_bytes_and_never_empty(lanes):
    store, _ = lanes
    for article in some_articles(4):
        Article.objects.filter(pk=article.pk).update(body="x" * 1000)
    lease = store.acquire(0, "one")

    assert len(store.pending(lease, 100, 1)) == 1


def test_the_number_of_lanes_changes_only_when_all_is_published(lanes):
    some_articles(1)
    with database.connect() as connection, pytest.raises(LanesInUse, match="1 events wait"):
        ensure_lanes(connection, 3, lambda lane: None)


def test_a_lane_that_existed_before_goes_on_counting(lanes):
    with database.connect() as connection:
        ensure_lanes(connection, 3, lambda lane: 17)

    assert list(RelayLane.objects.order_by("lane").values_list("done", flat=True)) == [0, 0, 17]


def test_a_lane_waits_for_kafka_and_catches_up(relay, monkeypatch):
    some_articles(4)
    servers = conf.kafka_bootstrap_servers()
    monkeypatch.setattr("consumers.relay.publisher.CALL_SECONDS", 1.0)
    workers = relay()
    _drained()
    _end(workers)
    Article.objects.update(headline="Changed")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    workers = relay()
    until(lambda: all(worker.report.state == "waiting" for worker in workers), what="lanes that wait")
    assert workers[0].report.reason.startswith("Kafka:")

    monkeypatch.setattr("consumers.relay.publisher.CALL_SECONDS", 15.0)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)

    _drained()


def test_a_lane_reconnects_when_postgresql_has_dropped_it(relay):
    workers = relay()
    until(lambda: all(worker.report.state == "running" for worker in workers), what="lanes at work")
    _drop_sessions_of_pipeline()
    some_articles(4)

    _drained()

    assert len(published()) == 4


def _drop_sessions_of_pipeline() -> None:
    pipeline = settings.DATABASES["pipeline"]
    place = {
        "host": pipeline["HOST"],
        "port": pipeline["PORT"],
        "user": pipeline["USER"],
        "password": pipeline["PASSWORD"],
        "dbname": pipeline["NAME"],
    }
    with psycopg.connect(**place) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
