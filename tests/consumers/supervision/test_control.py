"""Asking something of a stage, and what is recorded of it."""

import pytest

from consumers.models import ControlAction, StageControl
from consumers.supervision import control

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


def test_resuming_again_tells_a_halted_stage_to_go_on(boss):
    control.start("search", boss)
    before = StageControl.objects.get(stage="search").changed_at

    control.resume("search", boss)

    assert StageControl.objects.get(stage="search").changed_at > before
