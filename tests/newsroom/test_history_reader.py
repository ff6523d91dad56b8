import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsroom.history.patch import PatchError, apply_patch
from newsroom.history.reader import HistoryError, read
from testkit.newsroom.histories import event, life, write

FIRST = life()[0]


def _error(path) -> str:
    with pytest.raises(HistoryError) as caught:
        list(read(path))
    return str(caught.value)


def test_bodies_are_filled_in(tmp_path):
    bodies = [each.body for each in read(write(tmp_path / "h.gz", life()))]
    assert bodies == ["One.\n", "One.\nTwo.\n", "One.\nTwo.\n", "One.\nTwo.\n", None, "Three.\n"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("{not json", "line 2: not JSON (Expecting property name enclosed in double quotes, column 2)"),
        ("[1]", "line 2: expected a JSON object, found list"),
        ({**FIRST, "mood": "fine"}, "line 2: unknown field 'mood'. Known: seq, article_id"),
        ({key: FIRST[key] for key in FIRST if key != "title"}, "line 2: the field 'title' is missing"),
        ({**FIRST, "title": 7}, "line 2: title must be a text or null, not a whole number"),
        ({**FIRST, "author": {"id": "u-1"}}, "line 2: author must be an object with id and name, not dict"),
        ({**FIRST, "revision": 0}, "line 2: revision must be 1 or more, not 0"),
        ({**FIRST, "revision": True}, "line 2: revision must be a whole number, not true or false"),
        ({**FIRST, "action": "sung"}, "line 2: action 'sung' is not one of created, edited"),
        ({**FIRST, "occurred_at": "2001-07-05"}, "line 2: occurred_at '2001-07-05' is not a time with its zone"),
        ({**FIRST, "body": "Other."}, "line 2: note-1 revision 1: the body's SHA-256 is"),
        (event(2, text="x"), "line 2: neither body nor patch is there"),
        (event(2, text="x", article_id="note-2", patch="y"), "line 2: patch of note-2, but no earlier body"),
        (
            event(2, text="x", patch="--- a\n+++ b\n@@ -1,1 +1,1 @@\n-Nine.\n+x\n"),
            "line 2: patch: it does not fit line 1 of the text before",
        ),
        (event(2, text="x", patch="--- a\n+++ b\nnonsense"), "line 2: patch: expected a hunk header, found 'nonsense'"),
    ],
)
def test_a_bad_line_is_named(tmp_path, second, message):
    assert _error(write(tmp_path / "h.gz", [FIRST, second])).startswith(message)


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "h.gz", life())
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut off or damaged after line" in _error(path)


def test_a_file_that_is_not_gzip_is_named(tmp_path):
    path = tmp_path / "h.gz"
    path.write_text("{}")
    assert "not a sound gzip file" in _error(path)


def test_a_missing_file_is_named(tmp_path):
    assert _error(tmp_path / "none.gz").endswith("none.gz: there is no such file.")


_LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\f\n", "\r\n", "\n"]), max_size=12).map("".join)


@given(_LINES, _LINES)
def test_a_diff_leads_from_before_to_after(before, after):
    lines = difflib.unified_diff(_split(before), _split(after), "a", "b", n=2)
    assert apply_patch(before, "".join(_counted(line) for line in lines)) == after


def _split(text: str) -> list[str]:
    return [part + "\n" for part in text.split("\n")[:-1]]


def _counted(line: str) -> str:
    """difflib leaves a count of one out; the format always tells it."""
    if not line.startswith("@@"):
        return line
    ranges = [part if "," in part else f"{part},1" for part in line.split()[1:3]]
    return f"@@ {ranges[0]} {ranges[1]} @@\n"


def test_a_diff_that_ends_early_is_refused():
    with pytest.raises(PatchError, match="ends within a hunk"):
        apply_patch("a\n", "--- a\n+++ b\n@@ -1,1 +1,2 @@\n a\n")
