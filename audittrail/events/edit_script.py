"""Reversible edit scripts: what turns one text into another, and back, in pieces a person can read.

An edit script is a list of edits, ordered by position and without overlap. ``position`` counts code points from the
start of the text *before*. Forward, ``removed`` is replaced by ``inserted``; backward is derived. Words, HTML tags and
entities, and combining sequences stay whole.
"""

import re
import sys
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, groupby
from typing import NamedTuple

from rapidfuzz.distance import Indel, Postfix, Prefix

from audittrail.events.event import EditRecord


class Edit(NamedTuple):
    """One replacement; ``removed`` or ``inserted`` may be empty, but not both."""

    position: int
    removed: str
    inserted: str


class EditScriptMismatch(ValueError):
    """An edit script that does not belong to the text it is applied to, or is not one."""


class _Span(NamedTuple):
    """Text [before, before_end) became text [after, after_end)."""

    before: int
    before_end: int
    after: int
    after_end: int


# Tokens


def _character_class(belongs: Callable[[str], bool]) -> str:
    codes = (code for code in range(0x300, 0x20000) if belongs(chr(code)))
    runs = ([code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]))
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in runs)


# Combining marks, emoji modifiers, variation selectors and joiners belong to the character before them.
_MARKS = (
    _character_class(lambda c: unicodedata.category(c) in ("Mn", "Mc", "Me"))
    + "\U0001f3fb-\U0001f3ff\U000e0020-\U000e01ef\u200c\u200d"
)
_MARK = f"[{_MARKS}]"
_JOINING = re.compile(_MARK)
# Scripts written without spaces: each character is a token of its own.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"(?:(?![{_UNSPACED}])\w|{_MARK})"
_TAG = r"<[/!?A-Za-z][^<>]{0,1000}>"
_ENTITY = r"&#?\w{1,32};"
_LETTERS = rf"(?:[A-Za-z0-9_]{{1,200}}+|{_LETTER}){{1,200}}+"
_WORD = rf"{_LETTERS}(?:['’]{_LETTERS})?"
_CLUSTER = rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|\S)(?:{_MARK}|(?<=\u200d)\S)*"
# What most text is made of, tried first: it halves the time.
_PLAIN = r"[A-Za-z0-9_]{1,200}+(?![^\x00-\x7f]|')|[ \t]+"
_TOKEN = re.compile(rf"{_PLAIN}|{_TAG}|{_ENTITY}|{_WORD}|\r?\n|[^\S\r\n]+|\r|{_CLUSTER}")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_COUNTED = re.compile(rf"{_TAG}|{_ENTITY}|(?P<word>{_WORD}|[{_UNSPACED}])")
# The same for what most text is made of: it takes a quarter of the time.
_MARKUP = re.compile(rf"{_TAG}|{_ENTITY}")
_TYPOGRAPHY = str.maketrans("’‘“”–—…\xa0", "'       ")
_BEYOND_LATIN = re.compile(r"[^\x00-\u02ff]")
_LATIN_WORD = re.compile(r"\w+(?:'\w+)?")
# A sentence ends at its full stop and the space after it, at a line's end, or at a tag that follows a full stop.
_SENTENCE = re.compile(rf"(?:[^.!?\n<]++|{_TAG}|[.!?<](?![\s<]))*+(?:[.!?]+[^\S\n]*\n?|\n|<)?")
# Levels of alignment, each with the least size, in code points of both texts, at which it pays.
_LEVELS = ((_LINE, 0), (_SENTENCE, 1000), (_TOKEN, 0))
_LOOK_AROUND = 1100

# Bits of the matrix that aligns two token lists: 16 MB, a few milliseconds.
_MATRIX_BITS = 1 << 27
# Code points, of both texts together, that are aligned word by word; what is beyond stays replaced by sentences.
_WORD_LEVEL_LIMIT = 2_000_000
# Replaced passages with less than this share of their words in common read better whole.
_LEAST_COMMON = 0.2


def diff(before: str, after: str) -> list[Edit]:
    """The edits that turn ``before`` into ``after``; empty for equal texts. Time and memory are bounded for texts of
    any size.
    """
    if before == after:
        return []
    spans = [_changed(before, after)]
    for level, least in _LEVELS:
        spans = list(_refined(before, after, spans, level, least))
    spans = _slid(before, after, _joined(before, spans))
    return [Edit(s.before, before[s.before : s.before_end], after[s.after : s.after_end]) for s in spans]


def apply(before: str, edits: Iterable[Edit]) -> str:
    """The text after the edits. Raises EditScriptMismatch where they do not fit."""
    pieces: list[str] = []
    at = 0
    for number, (position, removed, inserted) in enumerate(edits):
        end = position + len(removed)
        if position < at:
            raise EditScriptMismatch(
                f"edit {number} at {position} is out of order or overlaps the one before it, which ends at {at}"
            )
        if end > len(before) or before[position:end] != removed:
            raise EditScriptMismatch(
                f"edit {number} removes {removed[:40]!r} at {position}, "
                f"where the text has {before[position:end][:40]!r}"
            )
        pieces += (before[at:position], inserted)
        at = end
    pieces.append(before[at:])
    return "".join(pieces)


def invert(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that lead back: from the text after to the text before."""
    inverted, shift = [], 0
    for position, removed, inserted in edits:
        inverted.append(Edit(position + shift, inserted, removed))
        shift += len(inserted) - len(removed)
    return inverted


def revert(after: str, edits: Iterable[Edit]) -> str:
    """The text before the edits. Raises EditScriptMismatch where they do not fit."""
    return apply(after, invert(edits))


def words_added(edits: Iterable[Edit]) -> int:
    """Number of words in the inserted texts; tags, entities and punctuation are none."""
    return sum(_word_count(edit.inserted) for edit in edits)


def words_removed(edits: Iterable[Edit]) -> int:
    """Number of words in the removed texts; tags, entities and punctuation are none."""
    return sum(_word_count(edit.removed) for edit in edits)


def as_records(edits: Iterable[Edit]) -> list[EditRecord]:
    """The edits as an event's contract has them."""
    return [{"position": position, "removed": removed, "inserted": inserted} for position, removed, inserted in edits]


def from_records(records: Iterable[EditRecord]) -> list[Edit]:
    """The edits of a decoded event."""
    return [Edit(record["position"], record["removed"], record["inserted"]) for record in records]


def _word_count(text: str) -> int:
    bare = _MARKUP.sub(" ", text) if "<" in text or "&" in text else text
    bare = bare if bare.isascii() else bare.translate(_TYPOGRAPHY)
    if _BEYOND_LATIN.search(bare):
        return sum(map(bool, _COUNTED.findall(text)))
    return len(_LATIN_WORD.findall(bare))


# Where the texts differ


def _changed(before: str, after: str) -> _Span:
    """What lies between the common beginning and the common end, widened to whole tokens."""
    start = Prefix.similarity(before, after)
    rest = min(len(before), len(after)) - start
    tail = Postfix.similarity(before[len(before) - rest :], after[len(after) - rest :])
    while (moved := min(_token_at(before, start)[0], _token_at(after, start)[0])) < start:
        start = moved
    while (moved := min(len(text) - _token_at(text, len(text) - tail)[1] for text in (before, after))) < tail:
        tail = moved
    return _Span(start, len(before) - tail, start, len(after) - tail)


def _token_at(text: str, position: int) -> tuple[int, int]:
    """Start and end of the token that ``position`` would split; ``position`` twice when it splits none."""
    if not 0 < position < len(text):
        return position, position
    for start, end in _possible_starts(text, position):
        for token in _TOKEN.finditer(text, start):
            if token.end() > position and token.start() < position and not token[0].isspace():
                return token.span()
            if token.end() >= end:
                break
    return (position - 1, position + 1) if text[position - 1 : position + 1] == "\r\n" else (position, position)


def _possible_starts(text: str, position: int) -> Iterator[tuple[int, int]]:
    """Where a token around the position may start: tag, entity, word, combining sequence; and where to look no
    further.
    """
    low = max(0, position - _LOOK_AROUND)
    for opening, closing, reach in (("<", ">", low), ("&", ";", max(0, position - 40))):
        found = text.rfind(opening, reach, position)
        if found > text.rfind(closing, reach, position):
            yield found, found + 1
    run = text[low:position].rsplit(maxsplit=1)[-1:] if not text[position - 1].isspace() else []
    if run and (len(run[0]) < position - low or low == 0):
        yield position - len(run[0]), position
    base = position
    while base > low and (_JOINING.match(text, base) or text[base - 1] == "\u200d"):
        base -= 1
    if base < position:
        yield base, position


def _refined(before: str, after: str, spans: Iterable[_Span], level: re.Pattern[str], least: int) -> Iterator[_Span]:
    budget = _WORD_LEVEL_LIMIT if level is _TOKEN else sys.maxsize
    for span in spans:
        size = span.before_end - span.before + span.after_end - span.after
        if span.before == span.before_end or span.after == span.after_end or not least <= size <= budget:
            yield span
            continue
        budget -= size
        yield from _split(before, after, span, level)


def _split(before: str, after: str, span: _Span, level: re.Pattern[str]) -> list[_Span]:
    old = level.findall(before, span.before, span.before_end)
    new = level.findall(after, span.after, span.after_end)
    pairs = _common(old, new) if len(old) > 1 or len(new) > 1 else []
    if level is _TOKEN and sum(len(old[i]) for i, _ in pairs) < _LEAST_COMMON * min(_weight(old), _weight(new)):
        return [span]
    old_at, new_at = _offsets(old, span.before), _offsets(new, span.after)
    spans, i, j = [], 0, 0
    for next_i, next_j in (*pairs, (len(old), len(new))):
        if next_i > i or next_j > j:
            gap = _trimmed(old, new, i, next_i, j, next_j)
            if gap[0] < gap[1] or gap[2] < gap[3]:
                spans.append(_Span(old_at[gap[0]], old_at[gap[1]], new_at[gap[2]], new_at[gap[3]]))
        i, j = next_i + 1, next_j + 1
    return spans


def _weight(tokens: list[str]) -> int:
    return len("".join("".join(tokens).split()))


def _offsets(tokens: list[str], start: int) -> list[int]:
    return list(accumulate(map(len, tokens), initial=start))


def _trimmed(old: list[str], new: list[str], i: int, i_end: int, j: int, j_end: int) -> tuple[int, int, int, int]:
    """The gap without the tokens (mostly space) that both sides begin or end with."""
    while i < i_end and j < j_end and old[i] == new[j]:
        i, j = i + 1, j + 1
    while i < i_end and j < j_end and old[i_end - 1] == new[j_end - 1]:
        i_end, j_end = i_end - 1, j_end - 1
    return i, i_end, j, j_end


# Which tokens correspond


def _common(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Pairs of indexes of equal tokens, increasing on both sides; space alone is no correspondence."""
    ids = {token: number for number, token in enumerate(set(old) & set(new)) if token and not token.isspace()}
    mine = [i for i, token in enumerate(old) if token in ids]
    other = [j for j, token in enumerate(new) if token in ids]
    left, right = [ids[old[i]] for i in mine], [ids[new[j]] for j in other]
    match = _longest if len(left) * len(right) <= _MATRIX_BITS else _anchored
    return [(mine[i], other[j]) for i, j in match(left, right)]


def _longest(left: list[int], right: list[int]) -> list[tuple[int, int]]:
    return [
        pair
        for block in Indel.opcodes(left, right)
        if block.tag == "equal"
        for pair in zip(range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True)
    ]


def _anchored(left: list[int], right: list[int]) -> list[tuple[int, int]]:
    """For lists too long to align: the tokens that occur once on both sides (patience diff), and between them what can
    be aligned.
    """
    once = {token for token, count in Counter(left).items() if count == 1} & {
        token for token, count in Counter(right).items() if count == 1
    }
    place = {token: j for j, token in enumerate(right) if token in once}
    anchors = _increasing([(i, place[token]) for i, token in enumerate(left) if token in once])
    pairs, i, j = [], 0, 0
    for next_i, next_j in (*anchors, (len(left), len(right))):
        if 0 < (next_i - i) * (next_j - j) <= _MATRIX_BITS:
            pairs += [(i + a, j + b) for a, b in _longest(left[i:next_i], right[j:next_j])]
        pairs.append((next_i, next_j))
        i, j = next_i + 1, next_j + 1
    return pairs[:-1]


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs, already increasing on the left, that increases on the right too."""
    tops: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        tops[pile:], last_below = [j, *tops[pile + 1 :]], last[pile - 1] if pile else -1
        previous.append(last_below)
        last[pile : pile + 1] = [number]
    run, number = [], last[-1] if last else -1
    while number >= 0:
        run.append(pairs[number])
        number = previous[number]
    return run[::-1]


# How it reads

# What stands between two edits of one thought: punctuation or space, with one short word at most.
_FARTHEST = 100
_WEAK = re.compile(r"[^\w\n<>&]{0,3}(?:\w{1,3}[^\w\n<>&]{1,2})?")


def _joined(before: str, spans: Iterable[_Span]) -> list[_Span]:
    joined: list[_Span] = []
    for span in spans:
        if joined and _belong_together(before, joined[-1], span):
            first = joined.pop()
            joined.append(_Span(first.before, span.before_end, first.after, span.after_end))
        else:
            joined.append(span)
    return joined


def _belong_together(before: str, one: _Span, two: _Span) -> bool:
    between = two.before - one.before_end
    if between > 8:
        return False
    return between == 0 or (
        between <= min(_size(one), _size(two)) and bool(_WEAK.fullmatch(before, one.before_end, two.before))
    )


def _size(span: _Span) -> int:
    return max(span.before_end - span.before, span.after_end - span.after)


def _slid(before: str, after: str, spans: list[_Span]) -> list[_Span]:
    """Pure insertions and removals moved, where the text around allows it, to begin and end at a line, sentence or
    word.
    """
    slid: list[_Span] = []
    for number, span in enumerate(spans):
        low = slid[-1].before_end + 1 if slid else 0
        high = spans[number + 1].before - 1 if number + 1 < len(spans) else len(before)
        if span.before == span.before_end:
            shift = _best_shift(after, span.after, span.after_end, low - span.before, high - span.before_end)
        elif span.after == span.after_end:
            shift = _best_shift(before, span.before, span.before_end, low - span.before, high - span.before_end)
        else:
            shift = 0
        slid.append(_Span(*(place + shift for place in span)))
    return slid


def _best_shift(text: str, start: int, end: int, lowest: int, highest: int) -> int:
    left = right = 0
    while left > max(lowest, -_FARTHEST) and text[start + left - 1] == text[end + left - 1]:
        left -= 1
    while right < min(highest, _FARTHEST) and text[start + right] == text[end + right]:
        right += 1
    if left == right:
        return 0
    return max(
        range(left, right + 1),
        key=lambda shift: (_boundary(text, start + shift) + _boundary(text, end + shift), shift == 0),
    )


def _boundary(text: str, position: int) -> int:
    """How natural it is to cut the text here, from -1 (inside a token) to 4 (at a line)."""
    if position in (0, len(text)) or text[position - 1] == "\n":
        return 4
    if text[position] == "<" and text[position + 1 : position + 2] != "/" and text[position - 1] == ">":
        return 3
    if text[position - 1].isspace():
        return 2 if text[max(0, position - 40) : position].rstrip()[-1:] in (".", "!", "?") else 1
    if text[position - 1].isalnum() and text[position].isalnum():
        return -1
    return -1 if _token_at(text, position)[0] < position else 0
