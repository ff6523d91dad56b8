"""HTML made safe to show, and made text: to read, and to search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.events.html import looks_like_html, marked, readable_document, safe_html, searchable_text
from testkit.audittrail.histories import HOSTILE


@pytest.mark.parametrize(
    "html",
    [
        HOSTILE,
        "<a href='javascript:alert(1)'>x</a>",
        "<svg onload=alert(1)>",
        "<iframe src=//evil>",
        "<p style='x' onclick=y>z</p>",
        "<form><input>",
    ],
)
def test_safe_html_has_nothing_that_acts(html):
    cleaned = safe_html(html)
    assert not any(
        word in cleaned
        for word in ("script", "onerror", "onload", "onclick", "style", "<iframe", "<form", "<input", "<img", "<svg")
    )


def test_safe_html_keeps_an_articles_structure():
    assert safe_html("<h2>A</h2><p>b <a href='https://x.example'>c</a></p>").startswith(
        '<h2>A</h2><p>b <a href="https://x.example"'
    )


def test_search_highlights_keep_their_marks_only():
    assert marked("&lt;b&gt; <mark>x</mark><script>y</script>") == "&lt;b&gt; <mark>x</mark>"


def test_a_readable_document_has_a_line_to_each_block():
    assert readable_document("<p>One &amp; two</p><ul><li>three</li></ul>").split() == ["One", "&", "two", "three"]


def test_text_with_angles_is_not_taken_for_html():
    assert not looks_like_html("if a < b and b > c: print('<x>')")


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>One<br/>two</p>", ["One", "two"]),
        ('see <a href="https://evil.example/?a=1&amp;b=2">this</a>', ["see", "https://evil.example/?a=1&b=2", "this"]),
        ("if a < b and c > d", ["if", "a", "<", "b", "and", "c", ">", "d"]),
        ("List<String> of <unknown>", ["List<String>", "of", "<unknown>"]),
        ("fish &amp; chips", ["fish", "&", "chips"]),
    ],
)
def test_searchable_text_loses_only_the_tags_of_html(markup, words):
    assert searchable_text(markup).split() == words


@given(st.text(st.characters(codec="utf-8", exclude_characters="<>&")))
def test_searchable_text_without_markup_stays_as_it_is(text):
    assert searchable_text(text) == text
