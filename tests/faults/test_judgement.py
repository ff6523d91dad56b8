"""The judgement can find everything it is there to find."""

import json
from dataclasses import replace
from typing import Any

import pytest

from testkit.faults import ledger
from testkit.faults.judgement import judge
from testkit.faults.ledger import Contradiction, Deeds, Ledger, State, digest
from testkit.faults.witnesses import Event

ARTICLE = "newsroom.article:1"
STATES: list[State] = [
    {"headline": "Bridge #1", "standfirst": "", "body": "Cracks were found.", "tags": ["2"]},
    {"headline": "Bridge #2", "standfirst": "", "body": "Cracks were never found.", "tags": ["2"]},
    {"headline": "Bridge #2", "standfirst": "", "body": "Cracks were never found.", "tags": ["3", "2"]},
]


def _change(field: str, kind: str, after=None, after_ids=None, edits=None) -> dict[str, Any]:
    return {"field": field, "kind": kind, "after": after, "after_ids": after_ids, "edits": edits}


def _keyframe(state: State) -> dict[str, Any]:
    return {
        "values": {name: state[name] for name in ("headline", "standfirst", "body")},
        "relations": {"tags": state["tags"]},
    }


CONTENTS: list[dict[str, Any]] = [
    {"operation": "create", "changes": [], "keyframe": _keyframe(STATES[0])},
    {
        "operation": "update",
        "changes": [
            _change("headline", "scalar", "Bridge #2"),
            _change("body", "text", edits=[{"position": 12, "removed": "", "inserted": "never "}]),
        ],
        "keyframe": None,
    },
    {"operation": "update", "changes": [_change("tags", "relation", after_ids=["2", "3"])], "keyframe": None},
    {"operation": "delete", "changes": [], "keyframe": None},
]
HASHES = ["a1", "b2", "c3", "d4"]
EVENTS = [
    Event(ARTICLE, number, own, "", previous, None, content)
    for number, (own, previous, content) in enumerate(zip(HASHES, ["00", *HASHES], CONTENTS, strict=False), 1)
]
DEEDS = Deeds({(ARTICLE, number): {digest(state)} for number, state in enumerate([*STATES, None], 1)})
KNOWN = {(event.article, event.sequence): event.hash for event in EVENTS}


def placed(*sequences: int) -> list[Event]:
    """The events as a topic has them in this order."""
    return [replace(EVENTS[sequence - 1], place=(0, offset)) for offset, sequence in enumerate(sequences)]


def judged(events: list[Event]) -> dict[str, int]:
    verdict = judge(events, DEEDS, KNOWN)
    return {
        name: value
        for name in ("lost", "doubled", "disordered", "altered", "foreign")
        if (value := getattr(verdict, name))
    }


def test_what_is_as_it_was_done_is_sound():
    assert judge(EVENTS, DEEDS, KNOWN).sound
    assert judge(placed(1, 2, 3, 4), DEEDS, KNOWN).sound


def test_a_loss_a_repeat_and_a_wrong_order_are_seen():
    assert judged(placed(1, 2, 4)) == {"lost": 1}
    assert judged(placed(1, 2, 2, 3, 4)) == {"doubled": 1}
    assert judged(placed(1, 3, 2, 4)) == {"disordered": 1}


def test_an_event_in_another_partition_is_out_of_order():
    assert judged([*placed(1, 2, 3), replace(EVENTS[3], place=(1, 0))]) == {"disordered": 1}


def test_an_event_off_the_chain_is_out_of_order():
    assert judged([*EVENTS[:2], replace(EVENTS[2], previous="ff"), EVENTS[3]]) == {"disordered": 1}


def test_another_text_is_an_alteration():
    edited = {
        **CONTENTS[1],
        "changes": [
            CONTENTS[1]["changes"][0],
            _change("body", "text", edits=[{"position": 12, "removed": "", "inserted": "now "}]),
        ],
    }
    assert judged([EVENTS[0], replace(EVENTS[1], content=edited), *EVENTS[2:]]) == {"altered": 2}


def test_a_deletion_that_was_none_is_an_alteration():
    assert judged([*EVENTS[:2], replace(EVENTS[2], content=CONTENTS[3]), EVENTS[3]]) == {"altered": 1}


def test_what_has_no_content_is_compared_by_its_hash():
    bare = [replace(event, content=None) for event in EVENTS]
    assert judged(bare) == {}
    assert judged([*bare[:3], replace(bare[3], hash="ee")]) == {"altered": 1}


def test_an_event_that_nobody_made_is_foreign():
    assert judged([*EVENTS, replace(EVENTS[0], article="newsroom.article:2")]) == {"foreign": 1}


# The ledger


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "ledger.jsonl"
    return Ledger(path), path


def test_a_commit_that_was_never_heard_of_is_settled_by_the_row(book):
    written, path = book
    written.committed(written.attempt([(ARTICLE, 1, STATES[0])]), 0.01)
    written.attempt([(ARTICLE, 2, STATES[1])])

    assert ledger.read(path, {ARTICLE: (1, digest(STATES[0]))}).states == {(ARTICLE, 1): {digest(STATES[0])}}
    assert set(ledger.read(path, {ARTICLE: (2, digest(STATES[1]))}).states) == {(ARTICLE, 1), (ARTICLE, 2)}


def test_an_article_that_is_gone_was_deleted_at_a_number(book):
    written, path = book
    written.committed(written.attempt([(ARTICLE, 1, STATES[0])]), 0.01)
    written.attempt([(ARTICLE, 2, None)])

    assert ledger.read(path, {}).states[ARTICLE, 2] == {digest(None)}


def test_a_commit_that_postgresql_does_not_have_is_a_contradiction(book):
    written, path = book
    for number in (1, 2):
        written.committed(written.attempt([(ARTICLE, number, STATES[number - 1])]), 0.01)

    with pytest.raises(Contradiction):
        ledger.read(path, {ARTICLE: (1, digest(STATES[0]))})


def test_the_ledger_is_made_of_lines(book):
    written, path = book
    written.committed(written.attempt([(ARTICLE, 1, STATES[0])]), 0.01)
    assert [list(json.loads(line)) for line in path.read_text().splitlines()] == [
        ["attempt", "states"],
        ["committed", "at", "seconds"],
    ]
