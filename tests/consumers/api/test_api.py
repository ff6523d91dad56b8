"""The programming interface to consumers and dead letters."""

import pytest
from kombu.exceptions import OperationalError

from consumers import conf, stages
from consumers.models import StageControl
from consumers.tasks import replay_dead_letters
from testkit.consumers.letters import letter

pytestmark = pytest.mark.usefixtures("fresh_database")


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


def test_the_api_lists_letters_and_says_how_many_can_be_put_back(client, boss):
    client.force_login(boss)
    found = letter(conf.raw_topic())

    listed = client.get("/api/dead-letters/?stage=enricher").json()["results"]
    answer = client.post(
        "/api/dead-letters/replay/", {"ids": [str(found.pk)], "dry_run": True}, content_type="application/json"
    )

    assert [(each["id"], each["replayable"]) for each in listed] == [(str(found.pk), True)]
    assert answer.json() == {"replayable": 1}
    misspelt = client.get("/api/dead-letters/?stages=enricher")
    assert misspelt.status_code == 400 and misspelt.json()["detail"].startswith("stages: there is no such parameter.")


def test_a_replay_while_the_queue_is_away_is_refused_and_puts_nothing_back(client, boss, monkeypatch):
    def away(*args: object) -> None:
        raise OperationalError("Error 111 connecting to redis://:secret@127.0.0.1:1.")

    client.force_login(boss)
    found = letter(conf.raw_topic())
    monkeypatch.setattr(replay_dead_letters, "delay", away)
    answer = client.post("/api/dead-letters/replay/", {"ids": [str(found.pk)]}, content_type="application/json")
    assert (answer.status_code, "the task queue is away" in answer.json()["detail"]) == (503, True)
    assert "secret" not in answer.json()["detail"]
