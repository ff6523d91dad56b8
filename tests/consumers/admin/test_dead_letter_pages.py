"""Dead letters in the admin: shown as they are, put back by who may."""

import pytest
from django.urls import reverse

from consumers import conf, tasks
from consumers.admin.dead_letters import dump
from consumers.models import ControlAction
from testkit.consumers.letters import letter
from testkit.consumers.witness import committed

pytestmark = pytest.mark.usefixtures("fresh_database")


@pytest.fixture
def boss(boss, client):
    """Logged in."""
    client.force_login(boss)
    return boss


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
    assert (message.partition(), message.key(), message.value()) == (0, b"k", found.value)
    assert ControlAction.objects.get().detail == "1 put back"
