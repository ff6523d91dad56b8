"""The page of consumers: every stage, and the buttons for those who may use them."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from consumers import stages
from consumers.models import ControlAction, HaltRelease, StageControl
from testkit.consumers.members import report_halt

pytestmark = pytest.mark.usefixtures("fresh_database")


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


def test_a_halted_partition_is_shown_and_released_by_its_button(client, boss):
    report_halt()
    client.force_login(boss)

    page = client.get(reverse("admin:consumers_overview")).content.decode()
    client.post(
        reverse("admin:consumers_release", args=["enricher"]), {"topic": "t", "partition": 7, "last_offset": 99}
    )

    assert "t/7 halted at offset 40: 50 messages in a row" in page
    assert "50 of 60 messages become dead letters, the others are processed" in page
    assert HaltRelease.objects.get().last_offset == 99


@pytest.mark.parametrize("form", [{}, {"topic": "t", "partition": "x", "last_offset": "9" * 30}])
def test_a_release_of_nothing_that_is_halted_says_so(client, boss, form):
    client.force_login(boss)

    answer = client.post(reverse("admin:consumers_release", args=["enricher"]), form, follow=True)

    assert "partition and last_offset are whole numbers" in answer.content.decode()
