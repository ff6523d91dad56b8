from datetime import UTC, datetime

import pytest

from audittrail.contracts.amendments import BadAmendment, amended, proposed
from audittrail.contracts.validation import InvalidEvent, validate
from testkit.audittrail.events import change, raw_event, text_change


def violation_of(event):
    try:
        validate(event)
    except InvalidEvent as found:
        return found


def amendment(field, value, reason="it was wrong"):
    return {"field": field, "value": value, "reason": reason}


def test_a_value_is_changed_and_marked_and_the_rest_stays():
    before = raw_event(changes=[change("headline", "scalar", before="A", after="B\x00")])
    after = amended(before, [amendment("changes[0].after", "B")])
    assert after["changes"][0]["after"] == "B"
    assert after["amendments"] == [{"field": "changes[0].after", "reason": "it was wrong"}]
    assert before["changes"][0]["after"] == "B\x00" and before["amendments"] == []
    assert {name: value for name, value in after.items() if name not in ("changes", "amendments")} == {
        name: value for name, value in before.items() if name not in ("changes", "amendments")
    }


def test_a_time_stays_a_time():
    assert amended(raw_event(), [amendment("occurred_at", "2026-11-23T08:00:00Z")])["occurred_at"] == datetime(
        2026, 11, 23, 8, tzinfo=UTC
    )


@pytest.mark.parametrize("field", ["hash", "article_id", "sequence", "recorded_at", "amendments", "", "nothing"])
def test_what_an_event_is_cannot_be_amended(field):
    with pytest.raises(BadAmendment, match="cannot be amended"):
        amended(raw_event(), [amendment(field, "x")])


@pytest.mark.parametrize(
    ("field", "value"),
    [("occurred_at", "yesterday"), ("changes[9].after", "x"), ("title.first", "x"), ("actor.age", 3)],
)
def test_an_amendment_that_fits_nowhere_names_its_field(field, value):
    with pytest.raises(BadAmendment, match=field.split(".")[0].replace("[", r"\[")):
        amended(raw_event(), [amendment(field, value)])


@pytest.mark.parametrize(
    "values",
    [
        {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"actor": raw_event()["actor"] | {"type": "robot"}},
        {"changes": [text_change("body", (0, "a", "a"), (4, "b", "c"), (9, "", ""))]},
        {"occurred_at": datetime(2300, 1, 1, tzinfo=UTC), "actor": raw_event()["actor"] | {"type": ""}},
    ],
)
def test_what_is_proposed_makes_the_event_valid_and_says_why(values):
    event = raw_event(**values)
    found = proposed(event, violation_of)
    assert violation_of(event) is not None and violation_of(amended(event, found)) is None
    assert all(each["reason"] for each in found)


def test_nothing_is_proposed_for_a_valid_event_or_one_that_nobody_knows_how_to_mend():
    assert proposed(raw_event(), violation_of) == []
    assert proposed(raw_event(salt=b"short"), violation_of) == []
