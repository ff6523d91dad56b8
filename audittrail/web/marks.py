"""What was removed and what was inserted, marked in HTML.  Values of events are always escaped."""

from collections.abc import Iterable, Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from audittrail.events import edit_script
from audittrail.timeline.excerpts import Piece, PieceKind

NOTHING = mark_safe('<span class="at-nothing">nothing</span>')
_ELLIPSIS = mark_safe(' <span class="at-elided">…</span> ')


def removed(text: str) -> SafeString:
    return format_html("<del>{}</del>", text)


def inserted(text: str) -> SafeString:
    return format_html("<ins>{}</ins>", text)


def excerpt_in_line(pieces: Iterable[Piece]) -> SafeString:
    """An excerpt in one line, removals before insertions."""
    return mark_safe("".join(_piece(piece) for piece in pieces))  # noqa: S308 - each piece is escaped


def side_of_excerpt(pieces: Iterable[Piece], without: PieceKind) -> SafeString:
    """The excerpt before the change (without what was ``inserted``) or after it (without what was ``removed``)."""
    return excerpt_in_line(piece for piece in pieces if piece.kind != without)


def replacement(before: str, after: str) -> SafeString:
    """A short value that became another; of two longer ones, the words that differ."""
    if not before:
        return inserted(after) if after else NOTHING
    if not after:
        return removed(before)
    if len(before.split()) > 2 and len(after.split()) > 2:
        return excerpt_in_line(_replaced_words(before, after))
    return format_html('{} <span class="at-soft" aria-label="became">→</span> {}', removed(before), inserted(after))


def _piece(piece: Piece) -> SafeString:
    if piece.kind == "elided":
        return _ELLIPSIS
    if piece.kind == "note":
        return format_html('<span class="at-soft">({})</span>', piece.text)
    text = format_html("<code>{}</code>", piece.text) if piece.markup else piece.text
    if piece.kind == "removed":
        return removed(text)
    return inserted(text) if piece.kind == "inserted" else format_html("{}", text)


def _replaced_words(before: str, after: str) -> Iterator[Piece]:
    at = 0
    for position, gone, new in edit_script.diff(before, after):
        yield Piece("same", before[at:position])
        yield from (piece for piece in (Piece("removed", gone), Piece("inserted", new)) if piece.text)
        at = position + len(gone)
    yield Piece("same", before[at:])
