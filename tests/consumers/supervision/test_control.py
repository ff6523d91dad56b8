"""Asking something of a stage, and what is recorded of it."""

import pytest

from consumers.models import ControlAction, HaltRelease, StageControl
from consumers.runtime.circuit_breaker import Halt
from consumers.supervision import control
from testkit.consumers.members import report_halt

pytestmark = pytest.mark.usefixtures("fresh_database")


@pytest.mark.parametrize(
    ("action", "state"), [("start", "running"), ("stop", "stopped"), ("pause", "paused"), ("resume", "running")]
)
def test_an_action_sets_the_desired_state(boss, action, state):
    control.perform(action, "search", boss)

    assert StageControl.objects.get(stage="search").desired_state == state


def test_scaling_sets_the_number_of_processes(boss):
    control.scale("search", boss, 3)

    assert StageControl.objects.get(stage="search").processes == 3


def test_an_action_is_recorded_with_who_and_what(boss):
    control.pause("search", boss)

    action = ControlAction.objects.get()
    assert (action.stage, action.action, action.user, action.detail) == ("search", "pause", boss, "running → paused")


@pytest.mark.parametrize("processes", [0, 17, -1])
def test_a_senseless_scale_is_refused_and_not_recorded(boss, processes):
    with pytest.raises(control.Refused, match="1 to 16"):
        control.scale("search", boss, processes)

    assert not ControlAction.objects.exists()


def test_an_unknown_stage_is_refused(boss):
    with pytest.raises(control.UnknownStage, match="there are relay, enricher"):
        control.stop("serach", boss)


@pytest.fixture
def halted(boss) -> Halt:
    """A halt that a process of the enricher reports."""
    return report_halt()


def test_a_release_names_its_batch_and_what_becomes_of_it(boss, halted):
    control.release("enricher", boss, "t", 7, 99)

    assert HaltRelease.objects.values_list("stage", "topic_id", "partition", "last_offset").get() == (
        "enricher", "id", 7, 99,
    )  # fmt: skip
    action = ControlAction.objects.get()
    assert (action.action, action.user) == ("release", boss)
    assert "t/7, offsets 40 to 99: 50 of 60 messages become dead letters" in action.detail


@pytest.mark.parametrize(("topic", "partition", "last_offset"), [("t", 7, 98), ("t", 6, 99), ("u", 7, 99)])
def test_what_is_not_halted_is_not_released(boss, halted, topic, partition, last_offset):
    with pytest.raises(control.Refused, match="is not halted at a batch that ends with"):
        control.release("enricher", boss, topic, partition, last_offset)

    assert not HaltRelease.objects.exists()


@pytest.mark.parametrize("action", ["resume", "start", "pause", "stop"])
def test_no_other_action_releases(boss, halted, action):
    control.perform(action, "enricher", boss)
    control.scale("enricher", boss, 3)

    assert not HaltRelease.objects.exists()
