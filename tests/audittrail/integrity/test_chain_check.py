"""An article's events against what capture says of it."""

import pytest

from audittrail.events.event import EnrichedEvent
from audittrail.integrity import chain, chain_check
from audittrail.integrity.chain_check import Anchor, Expected

ARTICLE = "newsroom.article:42"


def expected(events: list[EnrichedEvent], head: int = 6, verified: int | None = None) -> Expected:
    """A head at a sequence, and an earlier verification up to another."""
    hashes = {event["sequence"]: event["hash"] for event in events}
    return Expected(Anchor(head, hashes[head]), None if verified is None else Anchor(verified, hashes[verified]))


def found(events: list[EnrichedEvent], known: Expected | None) -> list[tuple[str, str, int]]:
    return [(each.store, each.kind, each.sequence) for each in chain_check.check(ARTICLE, events, known)]


def at(events: list[EnrichedEvent], sequence: int, **values) -> list[EnrichedEvent]:
    """The events with other values in one event."""
    return [{**event, **values} if event["sequence"] == sequence else event for event in events]  # type: ignore[typeddict-item]  # fields of events


def test_an_untouched_trail_has_no_findings(events):
    assert found(events, expected(events)) == []


def test_a_trail_from_a_keyframe_on_is_checked_from_there(events):
    assert found(events[3:], expected(events, verified=4)) == []


def test_a_hole_is_missing(events):
    assert found([*events[:2], *events[3:]], expected(events)) == [("database", "missing", 3)]


def test_an_end_that_was_captured_is_cut_off(events):
    assert found(events[:4], expected(events)) == [("database", "cut_off", 5)]


def test_altered_content_and_metadata_are_altered(events):
    assert found(at(events, 5, changes=[]), expected(events)) == [("database", "altered", 5)]
    assert found(at(events, 2, operation="delete"), expected(events)) == [("database", "altered", 2)]


def test_swapped_events_are_reordered(events):
    second, third = events[1], events[2]
    swapped = [events[0], {**third, "sequence": 2}, {**second, "sequence": 3}, *events[3:]]
    assert found(swapped, expected(events)) == [("database", "reordered", 2), ("database", "reordered", 3)]


def test_an_event_with_a_hash_of_its_own_is_forged(events):
    actor = {**events[4]["actor"], "id": "somebody else"}
    forged = at(events, 5, actor=actor)
    forged = at(forged, 5, hash=chain.event_hash(forged[4]))
    assert found(forged, expected(events)) == [("database", "forged", 5)]


def test_a_last_event_that_is_not_the_heads_is_forged(events):
    forged = at(events, 6, salt=bytes(16))
    forged = at(forged, 6, hash=chain.event_hash(forged[5]))
    assert ("database", "forged", 6) in found(forged, expected(events))


def test_events_after_the_head_and_of_an_unknown_article_are_added(events):
    assert found(events, expected(events, head=5)) == [("database", "added", 6)]
    assert found(events, None) == [("database", "added", 0)]


def test_a_head_behind_what_was_verified_was_set_back(events):
    assert found(events, expected(events, head=4, verified=6)) == [("capture", "head_altered", 4)]


@pytest.mark.parametrize("lost", [2, 5])
def test_articles_are_checked_apart(events: list[EnrichedEvent], lost: int) -> None:
    other: list[EnrichedEvent] = [{**event, "article_id": "newsroom.article:43"} for event in events]
    checked = list(chain_check.walk([*events[: lost - 1], *events[lost:], *other], {ARTICLE: expected(events)}))
    assert [(each.article_id, len(each.events)) for each in checked] == [(ARTICLE, 5), ("newsroom.article:43", 6)]
    assert [each.kind for each in checked[0].findings] == ["missing"]
