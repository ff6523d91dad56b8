"""Pages, gaps and rebuilt versions of stored histories, their overview, and the list of articles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.events.versions import MissingEvents, NoKeyframe
from audittrail.models import OutboxEvent
from audittrail.timeline import GapCause, gap_causes
from audittrail.timeline import articles as listed
from audittrail.timeline.articles import articles
from audittrail.timeline.filters import Filters
from audittrail.timeline.gaps import Gap, gaps
from audittrail.timeline.overview import overview
from audittrail.timeline.pages import PAGE_SIZE, newest_sequence, page
from audittrail.timeline.version_walk import states_before, version
from testkit.audittrail.histories import BODY, KIM, SAM, History, bridge, filters

LONG = "newsroom.article:600"
NOTHING = Filters()


@pytest.fixture(scope="module", autouse=True)
def stored(module_database):
    bridge().store()
    bridge("newsroom.article:43").store(missing=(3, 6, 7))
    story = History(LONG)
    story.save(headline="A story that never stops", status="draft", body=BODY)
    for number in range(2, 521):
        story.save(SAM if number % 7 else KIM, body=BODY + f"<p>Update {number}.</p>", minutes=1)
    story.store()


def sequences(found) -> list[int]:
    return [event.sequence for event in found.events]


# --- pages ---


def test_the_first_page_has_the_newest_events_and_a_cursor_to_older_ones():
    found = page(LONG, 520, NOTHING)
    assert sequences(found) == list(range(520, 520 - PAGE_SIZE, -1))
    assert (found.older, found.newer) == (520 - PAGE_SIZE + 1, None)


def test_pages_followed_to_the_end_hold_each_event_once():
    seen, before = [], None
    while True:
        found = page(LONG, 520, NOTHING, before=before)
        seen += sequences(found)
        if (before := found.older) is None:
            break
    assert seen == list(range(520, 0, -1))


def test_a_page_upwards_is_the_page_that_was_left():
    older = page(LONG, 520, NOTHING, before=471)
    assert sequences(page(LONG, 520, NOTHING, after=older.newer)) == list(range(520, 470, -1))


def test_a_page_deep_in_a_long_history_reads_no_more_rows_than_the_first(django_assert_num_queries):
    with django_assert_num_queries(1):
        found = page(LONG, 520, NOTHING, before=100)
    assert len(found.events) == PAGE_SIZE


def test_the_newest_sequence_of_an_unknown_article_is_zero():
    assert newest_sequence("newsroom.article:0") == 0


# --- filters ---


def test_text_finds_what_was_taken_out_whatever_its_case():
    assert sequences(page("newsroom.article:42", 9, filters(text="ALLEGED TO"))) == [9]


@pytest.mark.parametrize("text", ['"', "\\", "a.c", "(", "%", "${x}", "'; --", "🚢", "\n"])
def test_text_is_taken_literally(text):
    assert sequences(page("newsroom.article:42", 9, filters(text=f"no such thing {text}"))) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"actor": "Sam Okoro"}, [9, 4]),
        ({"actor": "newsroom.author:9"}, [9, 4]),
        ({"action": "published"}, [4]),
        ({"field": "headline"}, [8]),
        ({"since": "2026-11-23T12:00"}, [9, 8]),
        ({"until": "2026-11-23T11:05"}, [1]),
    ],
)
def test_each_filter_lets_through_its_own(parameters, expected):
    assert sequences(page("newsroom.article:42", 9, filters(**parameters))) == expected


def test_a_filtered_page_with_more_to_look_through_says_so(monkeypatch):
    monkeypatch.setattr("audittrail.timeline.pages.WINDOW", 100)
    found = page(LONG, 520, filters(action="created"))
    assert (found.events, found.older) == ([], 421)


# --- gaps ---


def test_missing_sequences_are_gaps_newest_first():
    assert [(gap.first, gap.last) for gap in gaps("newsroom.article:43", [9, 8, 5, 4, 2, 1], 1, 9)] == [(6, 7), (3, 3)]


def test_a_gap_at_the_edge_of_a_page_belongs_to_that_page():
    assert [(gap.first, gap.last) for gap in gaps("a", [8], 5, 9)] == [(9, 9), (5, 7)]


@given(st.sets(st.integers(1, 60)), st.integers(1, 60))
def test_events_and_gaps_together_are_every_sequence_once(present, highest):
    present = {sequence for sequence in present if sequence <= highest}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("audittrail.timeline.gaps._causes", lambda article, missing: {})
        missing = [sequence for gap in gaps("a", present, 1, highest) for sequence in range(gap.first, gap.last + 1)]
    assert sorted([*present, *missing]) == list(range(1, highest + 1))


def test_a_part_that_holds_a_missing_event_says_why(monkeypatch):
    cause = GapCause("it is in the dead letters.")
    monkeypatch.setattr("audittrail.timeline.gaps.gap_causes", [*gap_causes, lambda article, missing: {6: cause}])
    assert gaps("newsroom.article:43", [9, 8, 5, 4, 3, 2, 1], 1, 9) == [Gap(7, 7, None), Gap(6, 6, cause)]


def test_an_event_set_aside_at_the_source_is_named_as_the_cause():
    event = bridge("newsroom.article:43").events[2]
    same = {
        name: getattr(event, name)
        for name in (
            "event_id",
            "article_id",
            "kind",
            "sequence",
            "operation",
            "title",
            "status",
            "occurred_at",
            "recorded_at",
        )
    }
    OutboxEvent.objects.using("owner").create(
        **same,
        actor_type="user",
        salt=b"",
        state_digest=b"",
        previous_hash=b"",
        hash=b"",
        slot=1,
        keyframe=False,
        set_aside="title: too long",
    )
    (gap,) = gaps("newsroom.article:43", [4, 2, 1], 1, 4)
    assert gap.cause is not None
    assert "title: too long" in gap.cause.text


# --- versions ---


def test_a_version_is_the_article_as_it_was():
    state = version("newsroom.article:42", 2)
    assert state.values["body"] == BODY.replace("ten minutes", "quarter of an hour")
    assert (state.values["headline"], state.relations["tags"]) == ("Bridge shut", ["1"])


def test_a_version_reads_from_the_last_keyframe_only(django_assert_num_queries):
    with django_assert_num_queries(2) as queries:
        assert version(LONG, 499).values["body"] == BODY + "<p>Update 499.</p>"
    assert '"sequence" >= 450' in queries.captured_queries[-1]["sql"]


def test_a_version_after_a_gap_without_a_keyframe_is_not_known():
    with pytest.raises(MissingEvents):
        version("newsroom.article:43", 8)


def test_a_version_without_a_keyframe_in_reach_says_so(fresh_history):
    with pytest.raises(NoKeyframe):
        version(fresh_history, 3)


@pytest.fixture
def fresh_history():
    story = History("newsroom.article:44")
    for number in range(3):
        story.save(headline=f"Title {number}", body=BODY)
    story.events[0].keyframe = None
    return story.store().article_id


def test_the_article_before_each_event_is_known_from_one_walk(django_assert_num_queries):
    with django_assert_num_queries(2):
        known = dict(states_before(LONG, 471, 520))
    assert list(known) == list(range(471, 521))
    bodies = {sequence: state and state.values["body"] for sequence, state in known.items()}
    assert bodies == {sequence: BODY + f"<p>Update {sequence - 1}.</p>" for sequence in known}


def test_after_a_gap_the_article_is_unknown_until_the_next_keyframe():
    known = dict(states_before("newsroom.article:43", 1, 9))
    assert [sequence for sequence, state in known.items() if state is not None] == [2]


# --- overview ---


def test_the_overview_knows_who_took_part_and_what_is_live():
    found = overview("newsroom.article:42", 9)
    assert set(found.people.values()) == {"Kim Lee", "Sam Okoro"}
    assert (found.live, found.is_live, found.publication) == (9, True, 4)


def test_an_article_taken_back_was_live_until_then():
    story = bridge("newsroom.article:46")
    story.save(SAM, status="draft")
    found = overview(story.store().article_id, 10)
    assert (found.live, found.is_live, found.status) == (9, False, "draft")


# --- the list of articles ---


def test_articles_come_by_their_last_stored_event():
    found = [(event.article_id, event.sequence) for event in articles().events]
    assert found[0] == (LONG, 520)
    assert len({article for article, _ in found}) == len(found)


def test_articles_are_found_by_a_part_of_their_title():
    assert [event.article_id for event in articles("never stops").events] == [LONG]


def test_articles_page_by_cursor(monkeypatch):
    monkeypatch.setattr(listed, "PAGE_SIZE", 2)
    everything, cursor = [], None
    while True:
        found = listed.articles(cursor=cursor)
        everything += [event.article_id for event in found.events]
        if (cursor := found.older) is None:
            break
    assert len(everything) == len(set(everything)) >= 3
