import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.events.versions import (
    ChangeMismatch,
    MissingEvents,
    NoKeyframe,
    State,
    UnresolvedPayload,
    apply_event,
    rebuild,
)
from testkit.audittrail.articles import Article
from testkit.audittrail.events import change, raw_event, text_change

texts = st.text(st.sampled_from("ab <>&\n"), max_size=20)
saves = st.lists(
    st.tuples(st.booleans(), st.none() | texts, st.none() | texts, st.lists(st.sampled_from("123"), unique=True)),
    min_size=1,
    max_size=8,
)


@given(saves)
def test_every_version_is_what_was_saved(history):
    article = Article()
    for keyframe, title, body, tags in history:
        article.save(keyframe=keyframe, title=title, body=body, tags=tags)
    for sequence, (_, title, body, tags) in enumerate(history, start=1):
        assert rebuild(article.events, sequence) == State({"title": title, "body": body}, {"tags": tags})


@pytest.fixture
def article():
    article = Article()
    article.save(title="Tram", body="The alleged thief ran.", tags=["1"])
    article.save(body="The thief ran.")
    article.save(keyframe=True, tags=["1", "2"])
    article.save(title="Thief")
    return article


def test_the_last_version_is_the_default(article):
    assert rebuild(article.events) == State({"title": "Thief", "body": "The thief ran."}, {"tags": ["1", "2"]})


def test_the_last_keyframe_is_enough(article):
    assert rebuild(article.events[2:], 4) == rebuild(article.events, 4)


def test_a_deleted_article_is_empty_and_can_come_back(article):
    article.delete()
    assert rebuild(article.events) == State()
    article.save(title="Again", body=None, tags=[])
    assert rebuild(article.events, 6) == State({"title": "Again", "body": None}, {"tags": []})


def test_names_ride_along():
    article = Article()
    article.save(title="Tram", tags=["1"])["labels"] = {"tags": {"1": "Traffic"}}
    article.save(tags=["1", "2"])["labels"] = {"tags": {"2": "Council"}}
    assert rebuild(article.events).labels == {"tags": {"1": "Traffic", "2": "Council"}}


def test_a_text_not_known_before_comes_from_the_keyframe(article):
    event = article.save(keyframe=True, body="Nobody knows what was here.")
    event["changes"] = [change("body", "text")]
    assert rebuild(article.events).values["body"] == "Nobody knows what was here."


def test_without_a_keyframe_there_is_nothing_to_start_from(article):
    with pytest.raises(NoKeyframe):
        rebuild(article.events[1:2])


@pytest.mark.parametrize("sequence", [5, 0])
def test_a_version_that_is_not_there_is_missing(article, sequence):
    with pytest.raises(MissingEvents):
        rebuild(article.events, sequence)


def test_a_gap_after_the_keyframe_is_missing(article):
    article.save(title="Caught")
    del article.events[3]
    with pytest.raises(MissingEvents, match="sequence 5 follows 3"):
        rebuild(article.events, 5)


def test_a_payload_must_be_resolved_first(article):
    with pytest.raises(UnresolvedPayload):
        rebuild([article.events[0] | {"payload": {"sha256": bytes(32), "size": 1}, "keyframe": None}])


def test_a_resolved_payload_is_an_event_like_any_other(article):
    assert rebuild([article.events[0] | {"payload": {"sha256": bytes(32), "size": 1}}]) == rebuild(article.events, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        text_change("body", (4, "suspected ", "")),
        change("title", "scalar", before="Bus", after="Train"),
        change("tags", "relation", before_ids=["9"], after_ids=[]),
        change("body", "text", before=None, after="From nothing"),
    ],
)
def test_a_change_that_does_not_fit_is_named(article, wrong):
    with pytest.raises(ChangeMismatch, match=wrong["field"]):
        apply_event(rebuild(article.events, 1), raw_event(sequence=2, changes=[wrong]))


def test_the_state_before_is_left_as_it_was(article):
    before = rebuild(article.events, 1)
    apply_event(before, article.events[1])
    assert before == rebuild(article.events, 1)
