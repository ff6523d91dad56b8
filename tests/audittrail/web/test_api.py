"""The programming interface to the trail."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from audittrail import contracts
from audittrail.search import queries
from testkit.audittrail.histories import BODY, UNKNOWN, History, bridge

ARTICLE = "newsroom.article:42"


@pytest.fixture(scope="module", autouse=True)
def stored(module_database) -> History:
    bridge("newsroom.article:43").store(missing=(6,))
    long = History("newsroom.article:7")
    for number in range(120):
        long.save(headline="Long", body=f"{BODY}{number}")
    long.store()
    return bridge().store()


@pytest.fixture(scope="module")
def api(stored) -> APIClient:
    user = User.objects.create_user("auditor", password="x")
    user.user_permissions.add(Permission.objects.get(content_type__app_label="audittrail", codename="view_auditevent"))
    client = APIClient()
    client.force_login(user)
    return client


def test_an_event_has_the_fields_of_the_contract(api):
    event = api.get(f"/api/articles/{ARTICLE}/events/").json()["results"][8]
    assert set(event) == {
        field["name"] for field in contracts.schema(contracts.ENRICHED, contracts.latest(contracts.ENRICHED))["fields"]
    }
    assert set(event["actor"]) == {"type", "id", "version", "snapshot"}
    assert event["occurred_at"].endswith(".000000Z") and len(bytes.fromhex(event["hash"])) == 32


def test_an_event_is_the_same_by_its_identity(api):
    event = api.get(f"/api/articles/{ARTICLE}/events/").json()["results"][3]
    assert api.get(f"/api/events/{event['event_id']}/").json() == event


def test_events_come_by_sequence_in_pages(api):
    seen, url = [], "/api/articles/newsroom.article:7/events/"
    while url:
        page = api.get(url).json()
        seen += [event["sequence"] for event in page["results"]]
        url = page["next"]
    assert seen == list(range(1, 121))


def test_an_article_says_its_title_and_number_of_events(api):
    article = api.get(f"/api/articles/{ARTICLE}/").json()
    assert (article["title"], article["status"], article["sequence"]) == (
        "Harbour bridge closed after inspectors find cracks",
        "published",
        9,
    )


def test_articles_come_by_identity(api):
    assert [each["article_id"] for each in api.get("/api/articles/").json()["results"]] == sorted(
        [ARTICLE, "newsroom.article:43", "newsroom.article:7"]
    )


def test_a_version_is_rebuilt(api, stored):
    version = api.get(f"/api/articles/{ARTICLE}/versions/9/").json()
    assert version["values"] == stored.state["values"] and version["relations"] == stored.state["relations"]
    assert version["labels"]["tags"]["4"] == "infrastructure"


def test_a_version_that_cannot_be_rebuilt_is_a_conflict_that_says_why(api):
    answer = api.get("/api/articles/newsroom.article:43/versions/8/")
    assert answer.status_code == 409 and "sequence 7 follows 5" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "articles/newsroom.article:0/",
        "articles/newsroom.article:0/events/",
        f"articles/{ARTICLE}/versions/10/",
        f"articles/{ARTICLE}/versions/0/",
        f"events/{UNKNOWN}/",
        "events/x/",
    ],
)
def test_what_does_not_exist_is_not_found(api, path):
    answer = api.get(f"/api/{path}")
    assert answer.status_code == 404 and answer.json()["detail"].startswith("No")
    assert " matches the given query" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "articles/",
        f"articles/{ARTICLE}/",
        f"articles/{ARTICLE}/events/",
        f"articles/{ARTICLE}/versions/1/",
        f"events/{UNKNOWN}/",
        "search/",
    ],
)
@pytest.mark.parametrize("client", ["nobody", "somebody"])
def test_reading_needs_the_permission(stored, path, client):
    api = APIClient()
    if client == "somebody":
        api.force_login(User.objects.get_or_create(username="somebody")[0])
    assert api.get(f"/api/{path}").status_code in (401, 403)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(api, method):
    assert getattr(api, method)(f"/api/articles/{ARTICLE}/").status_code in (403, 405)


def test_a_search_gives_hits(api, monkeypatch):
    found = queries.ResultPage(
        [queries.Hit(ARTICLE, 9, {"title": "x"}, {"removed": ["<mark>alleged</mark>"]})],
        "next",
        10_000,
        True,
        0.0,
    )
    asked = []

    def search(text: str, after: str, without_kinds: list[str]) -> queries.ResultPage:
        asked.append((text, after))
        return found

    monkeypatch.setattr(queries, "search", search)
    answer = api.get("/api/search/", {"q": "removed:alleged", "cursor": "c"}).json()
    assert asked == [("removed:alleged", "c")]
    assert (answer["total"], answer["total_is_bound"], answer["next"]) == (10_000, True, "next")
    assert answer["results"][0] == {
        "article_id": ARTICLE,
        "sequence": 9,
        "document": {"title": "x"},
        "highlights": {"removed": ["<mark>alleged</mark>"]},
    }


@pytest.mark.parametrize(
    "query",
    ["actr:kim", "after:yesterday x", "action:edit", "ip:1.2", "actor:", "x " * 33],
)
def test_what_the_search_box_would_leave_out_is_refused_by_programs(api, query):
    answer = api.get("/api/search/", {"q": query})
    assert answer.status_code == 400 and answer.json()["detail"].startswith("q: ")


@pytest.mark.parametrize("path", ["articles/", f"articles/{ARTICLE}/", f"articles/{ARTICLE}/events/", "search/"])
def test_a_parameter_that_there_is_not_is_refused_by_name(api, path):
    answer = api.get(f"/api/{path}?actor=kim")
    assert answer.status_code == 400 and answer.json()["detail"].startswith("actor: there is no such parameter.")
    assert api.get(f"/api/{path}?format=xml").status_code == 404


def test_a_search_while_the_index_is_away_says_so(api, monkeypatch):
    def away(*args, **kwargs):
        raise queries.SearchUnavailable("Elasticsearch does not answer.")

    monkeypatch.setattr(queries, "search", away)
    answer = api.get("/api/search/", {"q": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (503, "Elasticsearch does not answer.")


def test_a_cursor_of_another_search_is_refused(api):
    answer = api.get("/api/search/", {"cursor": "nonsense"})
    assert answer.status_code == 400 and "cursor" in json.dumps(answer.json())


@pytest.mark.parametrize(
    "query",
    ["size=abc", "size=0", "size=201", "size=-1", "size=٣", "cursor=garbage", "cursor=cD1hYmM%3D", "cursor=cD0lMDA%3D"],
)
@pytest.mark.parametrize("path", ["articles/", f"articles/{ARTICLE}/events/"])
def test_a_parameter_that_makes_no_sense_is_refused_by_name(api, path, query):
    answer = api.get(f"/api/{path}?{query}")
    name = query.partition("=")[0]
    # "p=abc" is the position of an article, though not of an event.
    if (path, query) == ("articles/", "cursor=cD1hYmM%3D"):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 400 and answer.json()["detail"].startswith(f"{name}: ")


def test_every_address_is_documented(api):
    paths = json.loads(api.get("/api/schema/", {"format": "json"}).content)["paths"]
    assert {path for path in paths if "consumers" not in path} >= {
        "/api/articles/",
        "/api/articles/{article_id}/",
        "/api/articles/{article_id}/events/",
        "/api/articles/{article_id}/versions/{sequence}/",
        "/api/events/{event_id}/",
        "/api/search/",
    }
