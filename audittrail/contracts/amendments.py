"""Amendments: values of an event that violate the contract, changed before publication, each marked with what was
wrong.

A path to a value is for example ``title`` or ``changes[0].after``.
Who, what, when it was captured, and the hashes, are what the event is: these cannot be amended.
"""

import copy
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypedDict

from audittrail.contracts.validation import InvalidEvent
from audittrail.events.event import AmendmentMark, EditRecord, Event

AMENDABLE = frozenset({"title", "status", "occurred_at", "actor", "context", "changes", "labels", "keyframe"})
TITLE_KEPT = 500
"""Characters that are left of a title that is too long."""

_STEP = re.compile(r"[^.\[\]]+")
_MOST = 20


class Amendment(TypedDict):
    """A value to put at a path of an event, as JSON, and why."""

    field: str
    value: Any  # JSON: text, null, lists or objects, as the field demands
    reason: str


class BadAmendment(ValueError):
    """An amendment that cannot be made; the text names the field and why."""


def amended(event: Event, amendments: Sequence[Amendment]) -> Event:
    """A copy of the event with the amendments made, and marked in its ``amendments``. Raises BadAmendment."""
    event = copy.deepcopy(event)
    for amendment in amendments:
        _set(event, amendment["field"], amendment["value"])
    marks: list[AmendmentMark] = [{"field": made["field"], "reason": made["reason"]} for made in amendments]
    event["amendments"] = event["amendments"] + marks
    return event


def proposed(event: Event, violation_of: Callable[[Event], InvalidEvent | None]) -> list[Amendment]:
    """Amendments that make the event valid, as far as it is known how; ``violation_of`` gives an event's first
    violation, or None.
    """
    found: list[Amendment] = []
    while len(found) < _MOST and (violation := violation_of(amended(event, found))):
        remedy = next((remedy for field, remedy in _REMEDIES if re.fullmatch(field, violation.field)), None)
        if remedy is None:
            return found
        field, value = remedy(violation.field, amended(event, found))
        found.append({"field": field, "value": value, "reason": violation.problem})
    return found


def _set(event: Event, path: str, value: Any) -> None:
    *way, last = (int(step) if step.isdigit() else step for step in _STEP.findall(path) or [""])
    if (way or [last])[0] not in AMENDABLE:
        raise BadAmendment(f"{path}: cannot be amended; these can: {', '.join(sorted(AMENDABLE))}")
    try:
        place: Any = event
        for step in way:
            place = place[step]
        place[last] = datetime.fromisoformat(value) if isinstance(place[last], datetime) else value
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadAmendment(f"{path}: {value!r} does not fit there ({type(error).__name__}: {error})") from error


def _shorter_title(field: str, event: Event) -> tuple[str, str]:
    return field, event["title"][:TITLE_KEPT] + "…"


def _when_recorded(field: str, event: Event) -> tuple[str, str]:
    return field, event["recorded_at"].isoformat()


def _unknown(field: str, event: Event) -> tuple[str, str]:
    return field, "unknown"


def _without(field: str, event: Event) -> tuple[str, list[EditRecord]]:
    """The edits without the one that is named."""
    path, number = field.removesuffix("]").rsplit("[", 1)
    edits = event["changes"][int(_STEP.findall(path)[1])]["edits"] or []
    return path, edits[: int(number)] + edits[int(number) + 1 :]


Remedy = Callable[[str, Event], tuple[str, object]]
"""(field of the violation, event) → path and value of an amendment."""

_REMEDIES: list[tuple[str, Remedy]] = [
    (r"title", _shorter_title),
    (r"occurred_at", _when_recorded),
    (r"actor\.type", _unknown),
    (r"changes\[\d+\]\.edits\[\d+\]", _without),
]
