import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from newsroom.body import sanitiser
from newsroom.models import Article


def _problems(**values) -> dict[str, list[str]]:
    article = Article(**{"headline": "Ferry", "slug": "ferry", **values})
    with pytest.raises(ValidationError) as caught:
        article.clean_fields()
    return caught.value.message_dict


def test_a_headline_of_10000_emoji_names_field_and_limit():
    assert _problems(headline="🦀" * 10_000) == {
        "headline": ["The headline has 10000 characters; its limit is 300. Shorten it."]
    }


@pytest.mark.parametrize("field", ["headline", "standfirst", "body"])
def test_a_nul_character_names_field_and_place(field):
    assert _problems(**{field: "ab\0c"}) == {field: [f"The {field} contains a NUL character (character 3). Remove it."]}


def test_half_a_surrogate_pair_is_refused():
    assert "half of a surrogate pair (character 2)" in _problems(body="a\ud83e")["body"][0]


def test_a_body_over_its_limit_is_refused():
    assert _problems(body="x" * 10_000_001) == {
        "body": ["The body has 10000001 characters; its limit is 10000000. Shorten it."]
    }


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_any_other_text_is_a_headline(text):
    Article(headline=text, slug="ferry").clean_fields()


def test_a_body_of_five_megabytes_is_one_event(module_database, events):
    body = "<p>" + "Ebb and flow. " * 375_000 + "</p>"
    article = Article.objects.create(headline="Long read", slug="long-read", body=body)
    [event] = events(article)
    assert event.texts_after[event.text_fields.index("body")] == body


@given(st.text())
def test_sanitised_html_stays_as_it_is(html):
    once = sanitiser()(html)
    assert sanitiser()(once) == once


def test_scripts_are_taken_out():
    assert (
        sanitiser()('<p onclick="x()">Tide<script>x()</script></p><a href="javascript:x()">go</a>')
        == "<p>Tide</p><a>go</a>"
    )
