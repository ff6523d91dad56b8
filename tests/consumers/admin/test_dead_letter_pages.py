"""Dead letters in the admin and in the API: shown as they are, put back by who may."""

import base64
import uuid

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from consumers import conf, tasks
from consumers.admin.dead_letters import dump
from consumers.models import ControlAction, DeadLetter
from testkit.consumers.witness import committed

pytestmark = pytest.mark.usefixtures("fresh_database")


def letter(topic: str, **fields) -> DeadLetter:
    given = {
        "id": uuid.uuid4(),
        "stage": "enricher",
        "reason": "wrong_magic_byte",
        "detail": "starts with 0xff",
        "origin_topic": topic,
        "origin_partition": 0,
        "origin_offset": 7,
        "key": b"k",
        "headers": {"ce_id": base64.b64encode(b"an id").decode()},
        "value": b"\xff<script>alert(1)</script>",
        "failed_at": timezone.now(),
    }
    return DeadLetter.objects.create(**given | fields)


@pytest.fixture
def boss(client):
    user = get_user_model().objects.create_superuser("boss", "", "secret")
    client.force_login(user)
    return user


def test_bytes_are_shown_as_hexadecimal_and_text():
    assert dump(b"\x00abc") == "000000  00 61 62 63                                      ·abc"


def test_a_letter_is_shown_with_its_bytes_and_nothing_runs(client, boss):
    shown = client.get(reverse("admin:consumers_deadletter_change", args=[letter("raw").pk])).content.decode()

    assert "ce_id: an id" in shown
    assert "ff 3c 73 63" in shown
    assert "<script>alert" not in shown


def test_the_list_filters_by_stage(client, boss):
    letter("raw")
    letter("raw", stage="search")

    page = client.get(reverse("admin:consumers_deadletter_changelist"), {"stage": "search"}).content.decode()

    assert page.count("wrong_magic_byte</") < client.get(
        reverse("admin:consumers_deadletter_changelist")
    ).content.decode().count("wrong_magic_byte</")


def test_replay_says_first_how_many_can_be_put_back(client, boss, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.replay_dead_letters, "delay", lambda *args: asked.append(args))
    keys = [str(letter(topic).pk) for topic in (conf.raw_topic(), conf.enriched_topic())]
    form = {"action": "replay", "_selected_action": keys}

    page = client.post(reverse("admin:consumers_deadletter_changelist"), form).content.decode()
    assert "<b>1</b> of 2" in page
    assert not asked

    client.post(reverse("admin:consumers_deadletter_changelist"), form | {"confirmed": "yes"})
    assert asked == [([keys[0]], boss.pk)]


def test_the_task_puts_letters_back_and_records_who_asked(own_trail, boss):
    found = letter(conf.raw_topic())

    tasks.replay_dead_letters([str(found.pk)], boss.pk)

    message = committed(conf.raw_topic())[0]
    assert (message.partition(), message.key(), message.value()) == (0, b"k", bytes(found.value))
    assert ControlAction.objects.get().detail == "1 put back"


def test_the_api_lists_letters_and_says_how_many_can_be_put_back(client, boss):
    found = letter(conf.raw_topic())

    listed = client.get("/api/dead-letters/?stage=enricher").json()["results"]
    answer = client.post(
        "/api/dead-letters/replay/", {"ids": [str(found.pk)], "dry_run": True}, content_type="application/json"
    )

    assert [(each["id"], each["replayable"]) for each in listed] == [(str(found.pk), True)]
    assert answer.json() == {"replayable": 1}
