"""The changed sentences of a text: an edit script's pieces with just enough of the text around them to be read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from audittrail.events.edit_script import Edit
from audittrail.events.html import readable_text

_CONTEXT = 90
_LONGEST_PIECE = 300
_CLOSE = 60
_SENTENCE_START = re.compile(r"(?:[.!?]\s+|\n\s*|<(?:p|li|h[1-6]|div|br|td|blockquote)\b[^<>]*>)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|<|$)|\n|</(?:p|li|h[1-6]|div|td|blockquote)>", re.IGNORECASE)
_OPEN_TAG_BEFORE = re.compile(r"^[^<>]*>")
_OPEN_TAG_AFTER = re.compile(r"<[^<>]*$")

PieceKind = Literal["same", "removed", "inserted", "elided", "note"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of plain text; ``markup`` where only tags changed and they themselves are shown; a note is about the
    excerpt.
    """

    kind: PieceKind
    text: str
    markup: bool = False


Excerpt = list[Piece]


def excerpts(
    before: str | None, edits: Sequence[Edit], context: int = _CONTEXT, longest: int = _LONGEST_PIECE
) -> Iterator[Excerpt]:
    """One excerpt for each group of edits that stand close together, in order of the text.

    Without the text before (``None``) an excerpt has only what was removed and inserted. ``context``: characters around
    a group, at most; ``longest``: characters shown of one removal or insertion.
    """
    for group in _close_together(edits):
        yield _readable(_cut(_pieces(before, group, context), longest))


def summarised(found: Iterable[Excerpt], limit: int) -> list[Excerpt]:
    """The first excerpts, at most ``limit``, and in words how many more there are; changes of spacing are only
    counted.
    """
    changed: list[Excerpt] = []
    spacing: list[Excerpt] = []
    for excerpt in found:
        (changed if any(piece.kind in ("removed", "inserted") for piece in excerpt) else spacing).append(excerpt)
    if not changed:
        changed, spacing = spacing[:1], spacing[1:]
    notes = []
    if len(changed) > limit:
        notes.append(f"and {_places(len(changed) - limit)} more")
    if spacing:
        notes.append(f"only spacing in {_places(len(spacing))} more")
    return changed[:limit] + [[Piece("note", note)] for note in notes]


def _places(count: int) -> str:
    return f"{count:,} place{'s' if count > 1 else ''}"


def whole_text(text: str, kind: PieceKind, limit: int = 2 * _CONTEXT) -> Excerpt:
    """A text that was there or not as a whole; cut after about ``limit`` characters."""
    shown = readable_text(text[: limit * 4]).strip()
    cut = len(shown) > limit or len(text) > limit * 4
    return [Piece(kind, shown[:limit]), *([Piece("elided", "")] if cut else [])]


def _close_together(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    group: list[Edit] = []
    for edit in edits:
        if group and edit.position - (group[-1].position + len(group[-1].removed)) > _CLOSE:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _pieces(before: str | None, group: list[Edit], context: int) -> Iterator[Piece]:
    if before is None:
        for edit in group:
            yield from _replaced(edit)
        return
    at = _sentence_start(before, group[0].position, context)
    if before[:at].strip():
        yield Piece("elided", "")
    lead = _OPEN_TAG_BEFORE.sub("", before[at : group[0].position])
    for edit in group:
        yield Piece("same", readable_text(lead or before[at : edit.position]))
        yield from _replaced(edit)
        lead, at = "", edit.position + len(edit.removed)
    end = _sentence_end(before, at, context)
    yield Piece("same", readable_text(_OPEN_TAG_AFTER.sub("", before[at:end])))
    if before[end:].strip():
        yield Piece("elided", "")


def _cut(pieces: Iterable[Piece], longest: int) -> Iterator[Piece]:
    for piece in pieces:
        if len(piece.text) <= longest:
            yield piece
        else:
            yield Piece(piece.kind, piece.text[:longest], piece.markup)
            yield Piece("note", f"and {len(piece.text) - longest:,} more characters")


def _replaced(edit: Edit) -> Iterator[Piece]:
    if not edit.removed.strip() and not edit.inserted.strip():
        yield Piece("same", " ")
        return
    yield from _changed("removed", edit.removed)
    yield from _changed("inserted", edit.inserted)


def _changed(kind: PieceKind, text: str) -> Iterator[Piece]:
    words = readable_text(text)
    if words.strip():
        yield Piece(kind, words)
    elif text.strip():
        yield Piece(kind, text.strip(), markup=True)


def _readable(pieces: Iterable[Piece]) -> Excerpt:
    kept = [piece for piece in pieces if piece.text or piece.kind == "elided"]
    if not any(piece.kind in ("removed", "inserted") for piece in kept):
        kept.append(Piece("note", "only spacing changed"))
    return kept


def _sentence_start(text: str, position: int, context: int) -> int:
    lowest = max(0, position - context)
    starts = [found.end() for found in _SENTENCE_START.finditer(text, lowest, position)]
    if starts:
        return starts[-1] if position - starts[-1] >= 12 or len(starts) == 1 else starts[-2]
    return lowest if lowest == 0 else _after_space(text, lowest, position)


def _after_space(text: str, lowest: int, position: int) -> int:
    space = text.find(" ", lowest, position)
    return space + 1 if space >= 0 else lowest


def _sentence_end(text: str, position: int, context: int) -> int:
    highest = min(len(text), position + context)
    if found := _SENTENCE_END.search(text, position, highest):
        return found.end()
    space = text.rfind(" ", position, highest)
    return highest if highest == len(text) or space < 0 else space
