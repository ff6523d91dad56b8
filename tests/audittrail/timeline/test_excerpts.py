"""The changed sentences of a text."""

from hypothesis import given
from hypothesis import strategies as st

from audittrail.events import edit_script
from audittrail.events.html import readable_text
from audittrail.timeline.excerpts import excerpts


@given(st.text(), st.text())
def test_excerpts_never_fail_and_keep_every_removed_word(before, after):
    edits = edit_script.diff(before, after)
    found = [piece for excerpt in excerpts(before, edits) for piece in excerpt]
    removed = "".join(piece.text for piece in found if piece.kind == "removed" and not piece.markup)
    assert all(readable_text(edit.removed).strip() in removed for edit in edits if len(edit.removed) < 300)
