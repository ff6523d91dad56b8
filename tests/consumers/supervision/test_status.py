"""What the status says of a stage."""

import io
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from confluent_kafka import KafkaError, KafkaException
from django.core.management import call_command
from django.utils import timezone

from consumers import conf, stages
from consumers.admin import stage_cards
from consumers.kafka import clients, consumer_lag
from consumers.models import LagSample, Member, ProcessState, StageControl
from consumers.operations import outbox_retention
from consumers.supervision import status
from consumers.supervision.status import ProcessStatus, observe
from consumers.tasks import prune, sample_lag
from testkit.waiting import until


def process(state: str, reason: str = "", silent: float = 0.5) -> ProcessStatus:
    return ProcessStatus(1, "host", 1, ProcessState(state), reason, 0, 0, 0, silent)


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        ([], ("stopped", "")),
        ([process("running"), process("running")], ("running", "")),
        ([process("running"), process("waiting", "S3 is away")], ("waiting", "S3 is away")),
        ([process("halted", "a"), process("waiting", "b")], ("halted", "a")),
        ([process("running", silent=60)], ("stopped", "")),
        ([process("stopped")], ("stopped", "")),
    ],
)
def test_a_stage_is_in_the_worst_state_of_its_living_processes(processes, expected):
    assert observe(processes) == expected


def test_a_picture_has_the_peak_at_the_top_and_now_at_the_right():
    assert stage_cards.points([(1.0, 0), (0.5, 10), (0.0, 5)]) == "0.0,38.0 120.0,2.0 240.0,20.0"


def _member(stage: str, state: str = "running") -> None:
    now = timezone.now()
    Member.objects.using("pipeline").create(
        stage=stage, slot=1, host="host", pid=1, state=state, started_at=now, beat_at=now
    )


def test_a_stage_without_its_processes_is_not_as_desired(fresh_database):
    StageControl.objects.create(stage="search", processes=2)
    _member("search")

    search = next(stage for stage in status.collect().stages if stage.stage == "search")

    assert (search.observed_state, search.alive, search.as_desired) == ("running", 1, False)


@pytest.mark.django_db
def test_kafka_being_away_is_told_and_makes_lag_unknown(monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr("consumers.kafka.consumer_lag.TIMEOUT_SECONDS", 1)
    clients.forget()

    found = status.collect()

    assert found.kafka_problem.startswith("Kafka cannot be asked")
    assert [stage.lag for stage in found.stages] == [0, None, None, None, None]


def test_the_command_prints_json_and_its_exit_status_tells(own_trail):
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("consumer_status", "--json", stdout=out)

    assert [stage["stage"] for stage in json.loads(out.getvalue())["stages"]] == list(stages.table())
    assert ended.value.code == 1


def test_the_command_prints_a_table(own_trail):
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("consumer_status", stdout=out)

    assert "enricher" in out.getvalue()


def test_a_sample_is_taken_of_every_stage(own_trail):
    sample_lag()

    assert set(LagSample.objects.values_list("stage", flat=True)) == set(stages.table())


def test_a_sample_has_lag_and_position_of_each_partition_and_of_the_outbox(own_trail):
    sample_lag()

    found = {row.stage: row.partitions for row in LagSample.objects.all()}
    assert set(found["enricher"]) == {f"{conf.raw_topic()}/{number}" for number in range(conf.partitions())}
    assert set(found["relay"]) == {"outbox"} and set(found["relay"]["outbox"]) == {"lag", "position"}


def test_why_a_lag_is_not_known_is_kept_and_said(own_trail, monkeypatch, caplog):
    until(lambda: sample_lag() or LagSample.objects.filter(stage="search", lag=0), what="leaders of new partitions")
    monkeypatch.setattr(consumer_lag, "bounds", _refused)
    sample_lag()

    search = next(stage for stage in status.collect().stages if stage.stage == "search")
    assert (search.verdict, search.explanation) == ("unknown", "Kafka cannot be asked: No.")
    assert "search: ok → unknown, lag unknown (Kafka cannot be asked: No.)" in caplog.text


def test_kafka_that_answers_too_late_is_told_too(own_trail, monkeypatch):
    def too_late(*args: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(consumer_lag, "members", too_late)
    sample_lag()
    assert status.collect().kafka_problem == "Kafka cannot be asked: it does not answer in time"
    assert LagSample.objects.get(stage="search").problem == "Kafka cannot be asked: it does not answer in time"


def test_clients_that_failed_are_not_asked_again(own_trail, monkeypatch):
    failed = clients.admin()
    with monkeypatch.context() as away:
        away.setattr(consumer_lag, "bounds", _refused)
        status.collect()

    assert clients.admin() is not failed
    assert status.collect().kafka_problem == ""


def _refused(*args: object) -> None:
    raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN, "No."))


def test_a_partition_that_stands_still_is_seen_among_others_that_flow(own_trail):
    now = timezone.now()
    LagSample.objects.using("pipeline").bulk_create(
        LagSample(
            stage="enricher",
            at=now - timedelta(seconds=10 * age),
            lag=500,
            members=1,
            partitions={"t/3": {"lag": 500, "position": 7}, "t/4": {"lag": 0, "position": 900 - age}},
        )
        for age in range(10)
    )

    enricher = next(stage for stage in status.collect().stages if stage.stage == "enricher")
    assert (enricher.verdict, enricher.explanation) == ("stalled", "t/3: 500 waiting, none read for 90 s")


def test_a_stage_that_has_left_the_table_is_not_sampled(own_trail):
    LagSample.objects.using("pipeline").create(stage="json_lines", at=timezone.now(), lag=1)

    sample_lag()

    assert LagSample.objects.filter(stage="json_lines").count() == 1


def test_old_samples_are_forgotten(own_trail, monkeypatch):
    monkeypatch.setattr(outbox_retention, "prune", lambda: 0)
    LagSample.objects.using("pipeline").create(stage="search", at=timezone.now() - timedelta(days=3), lag=1)
    LagSample.objects.using("pipeline").create(stage="search", at=timezone.now(), lag=1)

    prune()

    assert LagSample.objects.count() == 1


def test_partitions_of_samples_are_forgotten_sooner_than_their_lag(own_trail, monkeypatch):
    monkeypatch.setattr(outbox_retention, "prune", lambda: 0)
    for hours in (0, 2):
        at = timezone.now() - timedelta(hours=hours)
        places = {"t/0": {"lag": 1, "position": 2}}
        LagSample.objects.using("pipeline").create(stage="search", at=at, lag=1, partitions=places)

    prune()

    assert list(LagSample.objects.order_by("at").values_list("lag", "partitions")) == [(1, {}), (1, places)]
