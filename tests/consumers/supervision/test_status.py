"""What the status says of a stage."""

import io
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from consumers import stages
from consumers.admin import stage_cards
from consumers.models import LagSample, Member, ProcessState, StageControl
from consumers.operations import outbox_retention
from consumers.supervision import status
from consumers.supervision.status import ProcessStatus, observe
from consumers.tasks import prune, sample_lag


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
    from consumers.kafka import clients

    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(clients, "admin", clients.admin.__wrapped__)
    monkeypatch.setattr("consumers.kafka.consumer_lag.TIMEOUT_SECONDS", 1)

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
