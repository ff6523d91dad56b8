"""The page of consumers: every stage, and the buttons for those who may use them."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from consumers import stages
from consumers.models import ControlAction, StageControl

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
