"""Asking something of a stage: by code, in the admin and by the API; who may, and what is recorded."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from consumers import stages
from consumers.models import ControlAction, StageControl
from consumers.supervision import control

pytestmark = pytest.mark.usefixtures("fresh_database")


@pytest.fixture
def boss():
    return get_user_model().objects.create_superuser("boss", "", "secret")


@pytest.fixture
def auditor():
    """May look, and not touch."""
    user = get_user_model().objects.create_user("auditor", "", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stagecontrol"))
    return user


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


# The admin


def test_the_page_shows_every_stage(client, boss):
    client.force_login(boss)

    page = client.get(reverse("admin:consumers_overview")).content.decode()

    assert all(f'data-stage="{stage}"' in page for stage in stages.table())


def test_a_button_does_what_it_says(client, boss):
    client.force_login(boss)

    client.post(reverse("admin:consumers_act", args=["archive"]), {"action": "scale", "processes": "2"})

    assert StageControl.objects.get(stage="archive").processes == 2


def test_who_may_only_look_sees_no_buttons_and_is_refused(client, auditor):
    client.force_login(auditor)

    page = client.get(reverse("admin:consumers_overview")).content.decode()
    answer = client.post(reverse("admin:consumers_act", args=["archive"]), {"action": "stop"})

    assert 'name="action"' not in page
    assert answer.status_code == 403
    assert not ControlAction.objects.exists()


def test_a_stranger_sees_nothing(client):
    client.force_login(get_user_model().objects.create_user("clerk", "", "secret", is_staff=True))

    assert client.get(reverse("admin:consumers_overview")).status_code == 403
    assert client.get(reverse("admin:consumers_live")).status_code == 403


# The API


def test_the_api_shows_every_stage(client, auditor):
    client.force_login(auditor)

    answer = client.get("/api/consumers/")

    assert [stage["stage"] for stage in answer.json()["stages"]] == list(stages.table())


def test_the_api_takes_an_action(client, boss):
    client.force_login(boss)

    answer = client.post("/api/consumers/search/actions/", {"action": "pause"}, content_type="application/json")

    assert answer.status_code == 202
    assert StageControl.objects.get(stage="search").desired_state == "paused"


@pytest.mark.parametrize(
    ("address", "body", "status"),
    [
        ("/api/consumers/nothing/actions/", {"action": "pause"}, 404),
        ("/api/consumers/search/actions/", {"action": "explode"}, 400),
        ("/api/consumers/search/actions/", {"action": "scale"}, 400),
        ("/api/consumers/search/actions/", {"action": "scale", "processes": 99}, 400),
    ],
)
def test_the_api_refuses_what_makes_no_sense(client, boss, address, body, status):
    client.force_login(boss)

    assert client.post(address, body, content_type="application/json").status_code == status


def test_the_api_refuses_who_may_only_look(client, auditor):
    client.force_login(auditor)

    assert (
        client.post("/api/consumers/search/actions/", {"action": "pause"}, content_type="application/json").status_code
        == 403
    )
