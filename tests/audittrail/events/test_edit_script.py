import json
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.events import edit_script
from audittrail.events.edit_script import (
    Edit,
    EditScriptMismatch,
    apply,
    as_records,
    diff,
    from_records,
    invert,
    revert,
    words_added,
    words_removed,
)
from testkit.paths import HISTORY

# Texts that share much, in the shapes that are hard: tags, entities, combining marks, joined emoji, every kind of line
# end.
PIECES = [
    "the ",
    "tram",
    "vote",
    " ",
    "\n",
    "\r\n",
    "\n\n",
    "<p>",
    "</p>",
    '<a href="/x y">',
    "&amp;",
    "&#233;",
    "e\u0301",
    "\u0301",
    "👨\u200d👩\u200d👧",
    "🇬🇧",
    "日本語",
    "नमस्ते",
    "don’t",
    ".",
    ". ",
    "<",
    "&",
    "3.14",
    "a" * 300,
]
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=80)


@given(texts, texts)
def test_forward_gives_the_text_after(before, after):
    assert apply(before, diff(before, after)) == after


@given(texts, texts)
def test_backward_gives_the_text_before(before, after):
    assert revert(after, diff(before, after)) == before


@given(texts, texts)
def test_inverting_twice_changes_nothing(before, after):
    edits = diff(before, after)
    assert invert(invert(edits)) == edits


@given(texts, texts)
def test_edits_are_ordered_apart_and_each_changes_something(before, after):
    edits = diff(before, after)
    assert all(edit.removed != edit.inserted for edit in edits)
    assert all(one.position + len(one.removed) < two.position for one, two in pairwise(edits))


@given(texts)
def test_equal_texts_have_no_edits(text):
    assert diff(text, text) == []


@given(texts, texts)
def test_records_and_json_come_back_as_they_went(before, after):
    edits = diff(before, after)
    assert from_records(json.loads(json.dumps(as_records(edits)))) == edits


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("The quick fox", "The slow fox", [(4, "quick", "slow")]),
        ("He said the alleged thief ran.", "He said the thief ran.", [(12, "alleged ", "")]),
        ("A cat. A dog.", "A cat. A bird. A dog.", [(7, "", "A bird. ")]),
        ("<p>a</p><p>b</p>", "<p>a</p><p>new</p><p>b</p>", [(8, "", "<p>new</p>")]),
        ("one\n\ntwo\n", "one\n\nnew\n\ntwo\n", [(5, "", "new\n\n")]),
        ("x &amp; y", "x &lt; y", [(2, "&amp;", "&lt;")]),
        ('<a href="one">t</a>', '<a href="two">t</a>', [(0, '<a href="one">', '<a href="two">')]),
        ("cafe\u0301 au lait", "cafe\u0300 au lait", [(0, "cafe\u0301", "cafe\u0300")]),
        ("👨\u200d👩\u200d👧 x", "👨\u200d👩\u200d👦 x", [(0, "👨\u200d👩\u200d👧", "👨\u200d👩\u200d👦")]),
        ("日本語テキスト", "日本誤テキスト", [(2, "語", "誤")]),
        ("a\r\nb", "a\nb", [(1, "\r\n", "\n")]),
        ("fox jumps, over it", "cat leaps, over it", [(0, "fox jumps", "cat leaps")]),
        ("don't go", "do go", [(0, "don't", "do")]),
    ],
)
def test_edits_read_as_a_person_would_mark_them(before, after, expected):
    assert [tuple(edit) for edit in diff(before, after)] == expected


def test_changed_words_far_apart_are_edits_of_their_own():
    before = "The minister of finance said on Monday that taxes would rise."
    after = "The minister of finance said on Tuesday that all taxes would fall."
    assert [(e.removed, e.inserted) for e in diff(before, after)] == [
        ("Monday", "Tuesday"),
        ("", "all "),
        ("rise", "fall"),
    ]


def test_a_rewritten_sentence_is_one_edit():
    assert (
        len(
            diff(
                "Nobody expected the outcome of yesterday's ballot.",
                "Seven people died when a ferry sank off the coast.",
            )
        )
        == 1
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("word " * 200_000, "drow " * 200_000),
        (" ".join(str(n) for n in range(200_000)), " ".join(str(n) for n in reversed(range(200_000)))),
        ("\n".join(str(n % 70_000) for n in range(200_000)), "\n".join(str(n * 7 % 70_000) for n in range(200_000))),
        ("<" * 1_000_000, "<a" * 500_000),
        ("a" * 1_000_000, "a" * 999_999),
    ],
    ids=["repeated words", "reversed words", "mixed lines", "broken tags", "one long word"],
)
def test_large_texts_come_through(before, after):
    edits = diff(before, after)
    assert apply(before, edits) == after
    assert revert(after, edits) == before


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(4, "slow", "quick")],
        [Edit(100, "quick", "slow")],
        [Edit(-1, "", "slow")],
        [Edit(4, "quick", "slow"), Edit(5, "uick", "")],
        [Edit(4, "quick", "slow"), Edit(0, "The", "A")],
        [Edit(14, "", "beyond the end")],
    ],
)
def test_a_script_that_does_not_fit_is_refused(edits):
    with pytest.raises(EditScriptMismatch):
        apply("The quick fox", edits)


def test_words_are_counted_without_markup():
    edits = [Edit(0, "old word", '<p class="lead">two new&nbsp;words, don’t split 日本</p>'), Edit(9, "", "!")]
    assert (words_added(edits), words_removed(edits)) == (7, 2)


@given(texts | st.text("ab_1é'’‘“”–—…\xa0 <>&;/#\u02ff\u0300日", max_size=40))
def test_words_are_counted_as_the_tokens_say(text):
    assert words_added([Edit(0, "", text)]) == sum(map(bool, edit_script._COUNTED.findall(text)))


def test_a_real_history_runs_forwards_and_backwards():
    history = HISTORY / "peps-history-small.jsonl.gz"
    if not history.exists():
        pytest.skip("the editorial history is not here")
    sys.path.insert(0, str(HISTORY))
    from read_history import events

    bodies: dict[str, str] = {}
    for event in events(str(history)):
        before, after = bodies.get(event["article_id"]) or "", event["body"] or ""
        edits = diff(before, after)
        assert apply(before, edits) == after
        assert revert(after, edits) == before
        bodies[event["article_id"]] = after
