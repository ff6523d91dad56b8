"""What is shown of each kind of change, and that nothing stored is ever markup."""

import pytest

from audittrail.events import edit_script
from audittrail.events.event import Change
from audittrail.events.versions import State
from audittrail.web.change_formatters import formatter_of
from testkit.audittrail.events import change, text_change
from testkit.audittrail.histories import BODY, HOSTILE, edited_event


def row(record: Change, before: State | None = None, **values) -> str:
    return formatter_of(edited_event(changes=[record], **values), record, before).inline()


def test_an_edited_sentence_is_shown_with_what_was_removed_and_inserted():
    after = BODY.replace("alleged to have skipped", "that skipped")
    record = change("body", "text", edits=edit_script.as_records(edit_script.diff(BODY, after)))
    shown = row(record, State({"body": BODY}))
    assert "The contractor <del>alleged to have</del><ins>that</ins> skipped two inspections" in shown
    assert "Ferries" not in shown


def test_without_the_text_before_only_the_edit_is_shown():
    assert row(text_change("body", (8, "alleged ", "said "))) == "<del>alleged </del><ins>said </ins>"


def test_only_the_first_places_of_many_are_in_a_row():
    edits = [(number * 200, "old", "new") for number in range(9)]
    assert "and 6 places more" in row(text_change("body", *edits))


def test_a_change_of_spacing_only_is_said_so():
    assert "only spacing changed" in row(text_change("body", (3, " ", "  ")))


def test_changes_of_spacing_are_counted_beside_a_real_one():
    shown = row(text_change("body", (0, " ", "  "), (200, "old", "new"), (400, "\n", " ")))
    assert shown.startswith("<del>old</del>") and "only spacing in 2 places more" in shown


def test_a_change_of_markup_only_shows_the_markup():
    assert row(text_change("body", (3, "", "<em>"))) == "<ins><code>&lt;em&gt;</code></ins>"


def test_a_long_insertion_is_cut_in_a_row():
    shown = row(text_change("body", (0, "", "word " * 1000)))
    assert len(shown) < 600 and "more characters" in shown


def test_relations_are_shown_by_name_and_sign():
    record = change("tags", "relation", before_ids=["1", "2"], after_ids=["2", "3"])
    assert row(record, labels={"tags": {"1": "sea", "3": "sky"}}) == "<del>sea</del> <ins>sky</ins>"


def test_a_relation_in_another_order_says_so():
    assert "another order" in row(change("credits", "relation", before_ids=["1", "2"], after_ids=["2", "1"]))


def test_a_foreign_key_is_shown_by_its_name():
    assert "<ins>Politics</ins>" in row(
        change("section", "scalar", before=None, after="3"), labels={"section": {"3": "Politics"}}
    )


def test_what_a_masked_field_held_is_not_told():
    shown = row(change("secret", "scalar", before="masked:0123456789abcdef", after="masked:fedcba9876543210"))
    assert "0123" not in shown and "(masked)" in shown


@pytest.mark.parametrize(
    "record",
    [
        change("headline", "scalar", before=HOSTILE, after=HOSTILE + " more words"),
        text_change("body", (0, HOSTILE, "x" + HOSTILE)),
        text_change("body", (0, "", "<em onclick=alert(1)>")),
        change("body", "text", after=HOSTILE),
        change("tags", "relation", before_ids=[HOSTILE], after_ids=["1"]),
    ],
    ids=["scalar", "text", "markup", "rewritten", "relation"],
)
def test_no_stored_value_becomes_markup(record):
    labels = {record["field"]: {"1": HOSTILE}}
    formatter = formatter_of(
        edited_event(changes=[record], labels=labels), record, State({"body": HOSTILE * 3}, {}, labels)
    )
    shown = [formatter.inline(), *formatter.stacked(), *(side for pair in formatter.columns() for side in pair)]
    assert not any("<script" in html or "<img" in html or "<em" in html for html in shown)
