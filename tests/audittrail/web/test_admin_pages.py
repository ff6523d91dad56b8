"""The trail's pages in the admin: who may see them, what they show, how much they ask of the database."""

import csv
import json

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audittrail.search import index, queries
from audittrail.web import export
from testkit.audittrail.histories import BODY, HOSTILE, KIM, UNKNOWN, History, bridge

ARTICLE = "newsroom.article:42"
BROKEN = "newsroom.article:43"
SLASHED = "desk/sport:9 ü?#"
HOSTILE_ARTICLE = "newsroom.article:45"


@pytest.fixture(scope="module", autouse=True)
def stored(module_database):
    bridge().store()
    broken = bridge(BROKEN).store(missing=(6,))
    broken.fork(9)
    slashed = History(SLASHED)
    slashed.save(headline="From another CMS", body=BODY)
    slashed.store()
    _hostile().store()
    for number, length in ((20, 20), (500, 500)):
        story = History(f"newsroom.article:{number}")
        for sequence in range(length):
            story.save(headline="Long", status="draft", body=BODY + f"<p>{sequence}</p>", minutes=11)
        story.store()


def _hostile() -> History:
    actor = KIM | {"actor_name": HOSTILE, "actor_byline": HOSTILE, "actor_role": HOSTILE, "actor_desk": HOSTILE}
    story = History(HOSTILE_ARTICLE)
    labels = {"tags": {"1": HOSTILE}}
    story.save(
        actor, headline=HOSTILE, slug=HOSTILE, status=HOSTILE, body=f"<p>one two</p>{HOSTILE}", tags=[], labels=labels
    )
    story.save(
        actor,
        headline=f"{HOSTILE} again and again",
        body=f"<p>one three</p>{HOSTILE}{HOSTILE}",
        tags=["1", HOSTILE],
        labels=labels,
        minutes=30,
    )
    story.save(actor, status="published", minutes=30)
    for event in story.events:
        event.context = dict.fromkeys(event.context, HOSTILE)
    return story


@pytest.fixture(scope="module")
def reader(stored) -> Client:
    user = User.objects.create_user("auditor", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="audittrail", codename="view_auditevent"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def search_is_away(monkeypatch):
    """These pages work without it; the index has its own tests."""

    def away(*args, **kwargs):
        raise queries.SearchUnavailable("Elasticsearch does not answer.")

    for place, name in ((queries, "search"), (queries, "histogram"), (queries, "freshness"), (index, "stored")):
        monkeypatch.setattr(place, name, away)


def page(name: str, *args, **query) -> str:
    return reverse(f"admin:audittrail_{name}", args=args, query=query or None)


PAGES = [
    page("articles"),
    page("search"),
    page("timeline", ARTICLE),
    page("event", ARTICLE, 9),
    page("version", ARTICLE, 9),
    page("compare", ARTICLE),
    page("news", ARTICLE),
    page("stored", ARTICLE, 9),
    page("export_jsonl", ARTICLE),
    page("export_csv", ARTICLE),
    page("auditevent_change", UNKNOWN),
]


@pytest.mark.parametrize("url", PAGES)
def test_without_the_permission_no_page_is_shown(stored, url):
    user, _ = User.objects.get_or_create(username="staff", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(url).status_code == 403


@pytest.mark.parametrize("url", PAGES)
def test_without_a_login_every_page_asks_for_one(url):
    assert Client().get(url).headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("url", PAGES[:-1])
def test_no_page_takes_a_post(reader, url):
    assert reader.post(url).status_code == 405


# --- what is shown ---


def _in_one_line(html: str) -> str:
    return " ".join(html.split())


def test_the_timeline_tells_who_did_what(reader):
    shown = reader.get(page("timeline", ARTICLE)).content.decode()
    assert "<del>alleged to have</del><ins>that</ins> skipped two inspections" in shown
    assert "Sam Okoro" in shown and "desk editor, News desk" in shown
    assert "3 edits of <b>body</b> by <b>Kim Lee</b>" in shown
    assert "Live: version 9" in shown and "Monday 23 November 2026" in shown and "Europe/London" in shown


def test_a_gap_is_shown_with_what_to_do(reader):
    shown = _in_one_line(reader.get(page("timeline", BROKEN)).content.decode())
    assert "Event 6 is not here" in shown and "verify_trail" in shown


def test_a_fork_is_shown_loudly(reader):
    shown = reader.get(page("timeline", BROKEN)).content.decode()
    assert 'role="alert"' in shown and "This history has been forked" in shown and "07070707" in shown


def test_a_filtered_timeline_keeps_its_filters_in_every_link(reader):
    shown = reader.get(page("timeline", ARTICLE, action="published")).content.decode()
    assert "export.csv?action=published" in shown and "Filters · 1" in shown
    assert "alleged to have" not in shown


def test_the_inspector_has_where_an_event_came_from_and_its_hashes(reader):
    shown = reader.get(page("event", ARTICLE, 9)).content.decode()
    assert "request-9" in shown and "192.0.2.7" in shown and bridge().events[8].hash.hex() in shown


def test_the_panel_is_the_inspector_alone(reader):
    shown = reader.get(page("event", ARTICLE, 9, panel="")).content.decode()
    assert "request-9" in shown and "<html" not in shown


def test_an_event_is_found_by_its_identity(reader):
    event_id = json.loads(b"".join(reader.get(page("export_jsonl", ARTICLE))).splitlines()[3])["event_id"]
    assert reader.get(page("auditevent_change", event_id)).headers["Location"] == page("event", ARTICLE, 4)


def test_a_version_is_shown_in_a_frame_without_rights(reader):
    shown = _in_one_line(reader.get(page("version", ARTICLE, 2)).content.decode())
    assert "<iframe" in shown and " sandbox " in shown and "default-src &#x27;none&#x27;" in shown
    assert "every quarter of an hour instead" in shown


def test_a_version_that_cannot_be_rebuilt_says_why(reader):
    shown = reader.get(page("version", BROKEN, 8)).content.decode()
    assert "cannot be rebuilt" in shown


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2", "current", "infrastructure"),
        ("previous", "9", "alleged to have"),
        ("published", "current", "at first light"),
    ],
)
def test_any_two_versions_can_be_compared(reader, start, end, found):
    shown = reader.get(page("compare", ARTICLE, **{"from": start, "to": end})).content.decode()
    assert found in shown


def test_an_article_of_another_cms_has_its_pages(reader):
    for url in (page("timeline", SLASHED), page("event", SLASHED, 1), page("version", SLASHED, 1)):
        assert "From another CMS" in reader.get(url).content.decode()


def test_articles_are_listed_with_their_last_change(reader):
    shown = reader.get(page("articles")).content.decode()
    assert "Harbour bridge closed" in shown and "9 events" in shown and page("timeline", ARTICLE) in shown


def test_no_article_matching_says_so(reader):
    assert "No article matches" in reader.get(page("articles", text="no such thing")).content.decode()


# --- search away ---


def test_the_timeline_is_complete_without_search(reader):
    assert reader.get(page("timeline", ARTICLE)).status_code == 200
    news = reader.get(page("news", ARTICLE, seen=7)).json()
    assert (news["new"], news["search_seconds"], news["search_problem"]) == (2, None, "Elasticsearch does not answer.")


def test_the_search_page_says_what_still_works(reader):
    shown = reader.get(page("search", q="removed:alleged")).content.decode()
    assert "Search is away" in shown and page("articles") in shown and 'value="removed:alleged"' in shown


# --- bad addresses ---


@pytest.mark.parametrize(
    "query",
    [{"since": "soon"}, {"before": "-1"}, {"before": "9" * 30}, {"after": "x"}, {"text": "\x00"}, {"actor": "a" * 300}],
    ids=["time", "negative", "huge", "letters", "nul", "long"],
)
def test_an_address_that_makes_no_sense_is_refused_by_name(reader, query):
    answer = reader.get(page("timeline", ARTICLE, **query))
    assert answer.status_code == 400
    assert f"{next(iter(query))}: " in answer.content.decode()


@pytest.mark.parametrize("query", [{"from": "0"}, {"to": "10"}, {"from": "live!"}])
def test_a_version_to_compare_that_does_not_exist_is_refused(reader, query):
    assert reader.get(page("compare", ARTICLE, **query)).status_code == 400


@pytest.mark.parametrize(
    "url",
    [
        page("timeline", "newsroom.article:0"),
        page("event", ARTICLE, 10),
        page("version", ARTICLE, 99),
    ],
)
def test_what_does_not_exist_is_not_found(reader, url):
    assert reader.get(url).status_code == 404


# --- hostile content ---


@pytest.mark.parametrize(
    "url",
    [
        page("articles"),
        page("articles", text=HOSTILE),
        page("timeline", HOSTILE_ARTICLE),
        page("timeline", HOSTILE_ARTICLE, text=HOSTILE),
        page("event", HOSTILE_ARTICLE, 1),
        page("event", HOSTILE_ARTICLE, 2),
        page("event", HOSTILE_ARTICLE, 3),
        page("event", HOSTILE_ARTICLE, 2, panel=""),
        page("version", HOSTILE_ARTICLE, 2),
        page("version", HOSTILE_ARTICLE, 2, **{"as": "text"}),
        page("compare", HOSTILE_ARTICLE, **{"from": 1, "to": 2}),
        page("compare", HOSTILE_ARTICLE, **{"from": 1, "to": 2, "view": "inline"}),
        page("search", q=HOSTILE),
        page("timeline", ARTICLE, since=HOSTILE),
    ],
)
def test_nothing_stored_or_asked_becomes_markup(reader, url):
    shown = reader.get(url).content.decode()
    assert "<script>alert" not in shown and "<img src=x" not in shown
    assert "alert(1)" in shown or "version" in url


def test_a_frame_holds_only_sanitised_html(reader):
    shown = reader.get(page("version", HOSTILE_ARTICLE, 2)).content.decode()
    frame = shown[shown.index("srcdoc=") : shown.index("</iframe>")]
    assert "one three" in frame and "script" not in frame and "onerror" not in frame


def test_hits_of_the_index_are_sanitised(reader, monkeypatch):
    document = {
        "title": HOSTILE,
        "action": "edited",
        "actor": {"name": HOSTILE},
        "occurred_at": "2026-11-23T12:00:00+00:00",
    }
    found = queries.ResultPage(
        [queries.Hit(HOSTILE_ARTICLE, 2, document, {"removed": [f"{HOSTILE}<mark>x</mark>"]})],
        None,
        1,
        False,
        0.0,
        (HOSTILE,),
    )
    monkeypatch.setattr(queries, "search", lambda *args, **kwargs: found)
    monkeypatch.setattr(queries, "histogram", lambda *args, **kwargs: queries.Histogram("day", []))
    shown = reader.get(page("search", q="x")).content.decode()
    assert "<mark>x</mark>" in shown and "<script>alert" not in shown and "<img src=x" not in shown


# --- cost ---


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_a_timeline_asks_the_database_a_bounded_number_of_times(reader):
    counts = {article: queries_of(reader, page("timeline", f"newsroom.article:{article}")) for article in (42, 20, 500)}
    assert max(counts.values()) <= 13
    assert counts[20] == counts[500]


def test_a_page_deep_in_a_long_history_costs_what_the_first_does(reader):
    assert queries_of(reader, page("timeline", "newsroom.article:500", before=100)) <= queries_of(
        reader, page("timeline", "newsroom.article:500")
    )


def test_the_list_of_articles_takes_one_query_of_events(reader):
    with CaptureQueriesContext(connection) as captured:
        reader.get(page("articles"))
    trail = [query["sql"] for query in captured if "audittrail_" in query["sql"]]
    assert len(trail) == 1 and not any("COUNT(" in sql for sql in trail)


# --- files ---


def test_json_lines_hold_every_event_in_order(reader):
    lines = [
        json.loads(line) for line in b"".join(reader.get(page("export_jsonl", "newsroom.article:500"))).splitlines()
    ]
    assert [line["sequence"] for line in lines] == list(range(1, 501))
    assert lines[0]["occurred_at"] == "2026-11-23T11:11:00.000000Z" and len(lines[0]["hash"]) == 64


def test_a_csv_has_a_row_for_each_event_that_passes(reader):
    answer = reader.get(page("export_csv", ARTICLE, actor="newsroom.author:9"))
    rows = list(csv.DictReader(b"".join(answer).decode().splitlines()))
    assert [(row["sequence"], row["action"], row["actor"]) for row in rows] == [
        ("4", "published", "Sam Okoro"),
        ("9", "edited", "Sam Okoro"),
    ]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_a_csv_has_no_formula(formula):
    assert export._cell(formula) == f"'{formula}"


@pytest.mark.parametrize("url", [page("export_csv", ARTICLE, since="soon"), page("news", ARTICLE, seen="x")])
def test_what_is_not_a_page_refuses_a_bad_address_too(reader, url):
    assert reader.get(url).status_code == 400


def test_a_search_without_hits_says_so(reader, monkeypatch):
    monkeypatch.setattr(queries, "search", lambda *args, **kwargs: queries.ResultPage([], None, 0, False, 0.0))
    monkeypatch.setattr(queries, "histogram", lambda *args, **kwargs: queries.Histogram("day", []))
    assert "No event matches" in reader.get(page("search", q="nothing")).content.decode()
