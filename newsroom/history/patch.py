"""Unified diffs, applied exactly: a text that differs from what the diff expects is refused."""

import re
from typing import NamedTuple

_HUNK = re.compile(r"@@ -(\d+),(\d+) \+\d+,(\d+) @@")


class PatchError(ValueError):
    """The diff is malformed, or made for another text."""


class _Hunk(NamedTuple):
    """Lines of the text before from `begin` (from 0), how many the hunk has of it and how many of the text after."""

    begin: int
    removing: int
    inserting: int


def apply_patch(before: str, patch: str) -> str:
    """The text after `patch`; an empty patch changes nothing."""
    if not patch:
        return before
    source, diff = _lines(before), _lines(patch)[2:]
    result: list[str] = []
    at = i = 0
    while i < len(diff):
        hunk = _hunk(diff[i])
        result += source[at : hunk.begin]
        at, i = _apply_hunk(hunk, source, diff, i + 1, result)
    return "".join(result + source[at:])


def _lines(text: str) -> list[str]:
    """Lines with their newlines, split at \\n only: texts hold form feeds and \\r."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _hunk(line: str) -> _Hunk:
    match = _HUNK.match(line)
    if match is None:
        raise PatchError(f"expected a hunk header, found {line.rstrip()!r}")
    start, removing, inserting = map(int, match.groups())
    return _Hunk(start - (removing > 0), removing, inserting)


def _apply_hunk(hunk: _Hunk, source: list[str], diff: list[str], i: int, result: list[str]) -> tuple[int, int]:
    """Adds to the result what the hunk makes of the text before; its lines start at `i` of the diff.

    Returns where it ends: in the text before, and in the diff.  Raises PatchError.
    """
    at, removing, inserting = hunk
    while removing or inserting:
        if i >= len(diff):
            raise PatchError("it ends within a hunk")
        mark, line = diff[i][0], diff[i][1:]
        i += 1
        if i < len(diff) and diff[i].startswith("\\"):
            line, i = line.removesuffix("\n"), i + 1
        if mark in " -":
            if at >= len(source) or source[at] != line:
                raise PatchError(f"it does not fit line {at + 1} of the text before")
            at, removing = at + 1, removing - 1
        if mark in " +":
            result.append(line)
            inserting -= 1
        if mark not in " -+":
            raise PatchError(f"a line of a hunk begins with {mark!r}")
    return at, i
