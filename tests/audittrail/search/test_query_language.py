"""The language of the search box."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audittrail.search.query_language import QUALIFIERS, TERM_LIMIT, VALUE_LIMIT, Period, Term, parse

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("budget vote", [Term(None, "budget"), Term(None, "vote")]),
        ('"budget vote"', [Term(None, "budget vote")]),
        ("removed:alleged", [Term("removed", "alleged")]),
        ('inserted:"two  words"', [Term("inserted", "two words")]),
        ("-section:sport", [Term("section", "sport", negated=True)]),
        ("-tram", [Term(None, "tram", negated=True)]),
        ("ACTOR:Kim", [Term("actor", "Kim")]),
        ("article:newsroom.article:42", [Term("article", "newsroom.article:42")]),
        ("alleg*", [Term(None, "alleg", prefix=True)]),
        ("action:Status-Changed", [Term("action", "status_changed")]),
        ("ip:10.1.2.3/8", [Term("ip", "10.0.0.0/8")]),
        ("https://example.org/a:b 12:30", [Term(None, "https://example.org/a:b"), Term(None, "12:30")]),
        ('"never closed', [Term(None, "never closed")]),
        ('  - "" ', []),
    ],
)
def test_terms(text, terms):
    query = parse(text)
    assert list(query.terms) == terms and query.messages == ()


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("after:2026-03-29", datetime(2026, 3, 29, tzinfo=LONDON), None),
        ("before:2026-03-29", None, datetime(2026, 3, 29, tzinfo=LONDON)),
        ("on:2026-03-29", datetime(2026, 3, 29, tzinfo=LONDON), datetime(2026, 3, 30, tzinfo=LONDON)),
        ("after:2026-03-29T09:30", datetime(2026, 3, 29, 9, 30, tzinfo=LONDON), None),
    ],
)
def test_periods_are_in_the_current_zone(text, start, end):
    with timezone.override(LONDON):
        (period,) = parse(text).periods
    assert period == Period(start, end)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("colour:red", "“colour:” is not known"),
        ("actor:", "“actor:” needs a value"),
        ("before:yesterday", "is not a date"),
        ("on:9999-12-31", "is not a date"),
        ("after:2026-02-30", "is not a date"),
        ("action:exploded", "is not an action"),
        ("ip:localhost", "is not an address"),
    ],
)
def test_what_is_not_understood_is_left_out_and_said(text, word):
    query = parse(f"{text} tram")
    assert query.terms == (Term(None, "tram"),) and query.periods == ()
    assert len(query.messages) == 1 and word in query.messages[0]


def test_more_words_than_the_limit_are_left_out_and_said():
    query = parse(" ".join(f"w{n}" for n in range(TERM_LIMIT + 1)))
    assert len(query.terms) == TERM_LIMIT and "Only the first" in query.messages[0]


@given(
    st.text()
    | st.lists(st.sampled_from([*QUALIFIERS, ":", "-", '"', " ", "*", "2026-01-01", "x", "\0", "\ud800", "/"])).map(
        "".join
    )
)
def test_any_text_gives_a_query_of_bounded_values_that_can_be_sent(text):
    query = parse(text)
    for term in query.terms:
        assert term.field is None or term.field in QUALIFIERS
        assert 0 < len(term.value) <= VALUE_LIMIT and "\0" not in term.value
        term.value.encode()


PLAIN = (
    st.text(st.characters(codec="utf-8", exclude_characters='"\0'), min_size=1, max_size=50)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)


@given(st.sampled_from([None, "removed", "inserted", "title", "from"]), PLAIN, st.booleans())
def test_a_quoted_phrase_is_taken_as_it_is(field, phrase, negated):
    text = f'{"-" if negated else ""}{f"{field}:" if field else ""}"{phrase}"'
    assert parse(text).terms == (Term(field, phrase.rstrip("*") or phrase, negated),)
