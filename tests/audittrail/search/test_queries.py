"""Searching a real index."""

import uuid
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audittrail import conf
from audittrail.events.event import EnrichedEvent
from audittrail.search import documents, index, queries
from audittrail.search.index import Fate, SearchUnavailable
from audittrail.search.query_language import QUALIFIERS
from testkit.audittrail.events import change, text_change
from testkit.audittrail.indexes import START, event
from testkit.waiting import until

WHOLE = {"values": {"headline": "Tram", "body": "<b>Bold</b> & honest", "section": "3"}, "relations": {}}


def store(*events: EnrichedEvent, section: list[str] | None = None) -> list[index.Result]:
    results = index.write([documents.indexed_now(documents.source(each, section)) for each in events])
    index.client().indices.refresh(index=conf.search_index())
    return results


@pytest.fixture
def newsroom(own_index):
    """Article 1: created by Kim, edited (a word out), published. Article 2: created by the import."""
    robot = {"type": "service", "id": "feed", "version": None, "snapshot": None}
    store(
        event(1, 1, operation="create", action="created", changes=[], keyframe=WHOLE),
        event(1, 2, changes=[text_change("body", (0, "alleged thief", "convicted thief"))]),
        event(
            1,
            3,
            action="published",
            status="published",
            changes=[change("status", "scalar", before="draft", after="published")],
        ),
        section=["3", "Politics"],
    )
    context = {
        "request_id": None,
        "correlation_id": "bulk-9",
        "ip": "10.1.2.3",
        "user_agent": None,
        "channel": "import",
    }
    creation = {
        "operation": "create",
        "action": "created",
        "changes": [],
        "keyframe": {"values": WHOLE["values"] | {"section": "4"}, "relations": {}},
    }
    store(event(2, 1, actor=robot, actor_profile=None, context=context, title="Bus lanes", **creation))


def found(query: str, **options) -> list[tuple[str, int]]:
    return sorted((hit.article_id[-1], hit.sequence) for hit in queries.search(query, **options).hits)


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("", ["11", "12", "13", "21"]),
        ("actor:kim", ["11", "12", "13"]),
        ("actor:feed", ["21"]),
        ("action:published", ["13"]),
        ("removed:alleged", ["12"]),
        ("removed:ALLEG*", ["12"]),
        ("removed:convicted", []),
        ('inserted:"convicted thief"', ["12"]),
        ('inserted:"thief convicted"', []),
        ("from:draft to:published", ["13"]),
        ("-section:politics", ["21"]),
        ("section:3 -action:created", ["12", "13"]),
        ("article:2", ["21"]),
        ("article:newsroom.article:2", ["21"]),
        ("article:bus", ["21"]),
        ("field:body", ["12"]),
        ("channel:import", ["21"]),
        ("ip:10.0.0.0/8", ["21"]),
        ("correlation:bulk-9", ["21"]),
        ("desk:politics role:reporter", ["11", "12", "13"]),
        ("status:published", ["13"]),
        ("before:2026-01-01T02:00", ["11", "21"]),
        ("after:2026-01-01T03:00", ["13"]),
        ("on:2026-01-02", []),
        ("honest -feed -bus", ["11"]),
        ("thief", ["12"]),
    ],
)
def test_qualifiers_and_words(newsroom, query, hits):
    assert ["".join((article, str(number))) for article, number in found(query)] == hits


def test_one_article_is_searched_by_its_sequence_newest_first(newsroom):
    page = queries.search("", article_id="newsroom.article:1")
    assert [hit.sequence for hit in page.hits] == [3, 2, 1]


def test_passages_are_marked_and_safe(newsroom):
    (hit,) = queries.search("removed:alleged").hits
    assert hit.highlights == {"removed": ["<mark>alleged</mark> thief"]}
    (bold, _) = queries.search("inserted:honest").hits
    assert bold.highlights == {"inserted": ["Bold  &amp; <mark>honest</mark>"]}


def test_what_is_left_out_of_a_query_is_said(newsroom):
    assert "colour" in queries.search("colour:red").messages[0]


def test_pages_show_each_event_once(own_index):
    store(*[event(n % 3, n, occurred_at=START) for n in range(1, 26)])
    cursor, seen = None, []
    while True:
        page = queries.search("", after=cursor, size=4)
        seen += [hit.sequence for hit in page.hits]
        if not (cursor := page.next_cursor):
            break
    assert sorted(seen) == list(range(1, 26))


@pytest.mark.parametrize(
    "cursor", ["x", "WzFd", "é", "W3RydWUsICJ4IiwgMV0", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE2LCAieCIsIDFd"]
)
def test_a_foreign_cursor_is_refused(own_index, cursor):
    with pytest.raises(queries.BadCursor):
        queries.search("", after=cursor)


def test_counts_are_bounded(own_index, monkeypatch):
    monkeypatch.setattr(queries, "TOTAL_BOUND", 5)
    store(*[event(1, n) for n in range(1, 9)])
    page = queries.search("")
    assert (page.total, page.total_is_bound) == (5, True)
    assert (queries.search("action:created").total, queries.search("action:created").total_is_bound) == (0, False)


def test_the_histogram_counts_publications_apart(newsroom):
    histogram = queries.histogram()
    assert histogram.interval == "hour"
    assert [(bucket.events, bucket.publications) for bucket in histogram.buckets] == [(2, 0), (1, 0), (1, 1)]
    assert histogram.buckets[0].start == START + timedelta(hours=1)
    assert queries.histogram("action:deleted").buckets == []


def test_freshness_is_the_newest_recording(newsroom):
    assert queries.freshness() == START + timedelta(hours=3)


def test_an_event_is_created_once_and_never_overwritten(own_index):
    first = event(1, 1, title="First")
    assert [result.fate for result in store(first, first)] == [Fate.CREATED, Fate.EXISTS]
    assert store({**first, "title": "Second"})[0].fate is Fate.EXISTS
    assert index.stored([("newsroom.article:1", 1)], ["title"]) == {("newsroom.article:1", 1): {"title": "First"}}


def test_an_event_is_found_within_a_second_of_its_writing(own_index):
    index.write([documents.indexed_now(documents.source(event(1, 1)))])
    until(lambda: queries.search("").total == 1, seconds=5, what="the event in a search")
    assert index.client().indices.get_settings(index=own_index, name="index.refresh_interval").body.popitem()[1][
        "settings"
    ]["index"] == {"refresh_interval": "500ms"}


def test_elasticsearch_away_is_said(own_index, monkeypatch):
    nowhere = Elasticsearch("http://127.0.0.1:9", max_retries=0)
    with monkeypatch.context() as patch:
        patch.setattr(index, "client", lambda: nowhere)
        for question in (queries.search, queries.histogram, queries.freshness, index.ensure_index):
            with pytest.raises(SearchUnavailable, match="does not answer"):
                question()


@pytest.mark.service
def test_without_an_index_nothing_is_made_by_writing(monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")
    with pytest.raises(SearchUnavailable):
        store(event(1, 1))
    with pytest.raises(SearchUnavailable, match="no search index"):
        queries.search("")
    assert not index.client().indices.exists(index=conf.search_index())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["", *QUALIFIERS]), st.text(max_size=20)), max_size=6))
def test_elasticsearch_takes_whatever_is_typed(newsroom, parts):
    query = " ".join(f"{name}{':' if name else ''}{value}" for name, value in parts)
    assert queries.search(query).total <= 4
