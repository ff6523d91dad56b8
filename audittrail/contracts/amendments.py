"""Amendments: values of an event that violate the contract, changed before publication, each marked with what was
wrong.

A path to a value is for example ``title`` or ``changes[0].after``.
Who, what, when it was captured, and the hashes, are what the event is: these cannot be amended.
"""

import re
import reprlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypedDict, cast

from audittrail.contracts.validation import CHANGE_KINDS, InvalidEvent
from audittrail.events.event import CONTEXT_FIELDS, AmendmentMark, Change, EditRecord, Event, change_record

AMENDABLE = frozenset({"title", "status", "occurred_at", "actor", "context", "changes", "labels", "keyframe"})
TEXT_KEPT = 500
"""Characters that are left of a title, and of other texts that are too long."""

_STEP = re.compile(r"[^.\[\]]+")
_MOST = 20
_REASON = 500


class Amendment(TypedDict):
    """A value to put at a path of an event, as JSON, and why."""

    field: str
    value: Any  # JSON: text, null, lists or objects, as the field demands
    reason: str


class BadAmendment(ValueError):
    """An amendment that cannot be made; the text names the field and why."""


def amended(event: Event, amendments: Sequence[Amendment]) -> Event:
    """The event with the amendments made, and marked in its ``amendments``; the one given stays as it is. Raises
    BadAmendment.
    """
    marks: list[AmendmentMark] = [{"field": made["field"], "reason": made["reason"]} for made in amendments]
    for amendment in amendments:
        event = _with(event, amendment["field"], amendment["value"])
    return {**event, "amendments": event["amendments"] + marks}


def proposed(event: Event, violation_of: Callable[[Event], InvalidEvent | None]) -> list[Amendment]:
    """Amendments that make the event valid, as far as it is known how; ``violation_of`` gives an event's first
    violation, or None.
    """
    found: list[Amendment] = []
    while len(found) < _MOST and (violation := violation_of(amended(event, found))):
        amendment = _proposal(violation, amended(event, found))
        if amendment is None or amendment in found:
            return found
        found.append(amendment)
    return found


def _proposal(violation: InvalidEvent, event: Event) -> Amendment | None:
    remedy = next((remedy for field, remedy in _REMEDIES if re.fullmatch(field, violation.field)), None)
    if remedy is None:
        return None
    field, value = remedy(violation.field, event)
    return {"field": field, "value": value, "reason": violation.problem[:_REASON]}


def _with(event: Event, path: str, value: Any) -> Event:
    way = [int(step) if step.isdigit() else step for step in _STEP.findall(path)]
    if not way or way[0] not in AMENDABLE:
        raise BadAmendment(f"{path}: cannot be amended; these can: {', '.join(sorted(AMENDABLE))}")
    try:
        return cast(Event, _replaced(event, way, value))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadAmendment(
            f"{path}: {reprlib.repr(value)} does not fit there ({type(error).__name__}: {error})"
        ) from error


def _replaced(place: Any, way: Sequence[int | str], value: Any) -> Any:
    """A copy of `place`, a dict or list, with a value at the end of the way; the rest is shared."""
    step, further = way[0], way[1:]
    known = place[step]
    if further:
        value = _replaced(known, further, value)
    elif isinstance(known, datetime):
        value = datetime.fromisoformat(value)
    changed = place.copy()
    changed[step] = value
    return changed


def _shortened(field: str, event: Event) -> tuple[str, str]:
    text: str = event[field]  # type: ignore[literal-required]  # title or status
    return field, text[:TEXT_KEPT] + "…"


def _when_recorded(field: str, event: Event) -> tuple[str, str]:
    return field, event["recorded_at"].isoformat()


def _unknown(field: str, event: Event) -> tuple[str, str]:
    return field, "unknown"


def _without(field: str, event: Event) -> tuple[str, list[EditRecord]]:
    """The edits without the one that is named."""
    path, number = field.removesuffix("]").rsplit("[", 1)
    edits = event["changes"][int(_STEP.findall(path)[1])]["edits"] or []
    return path, edits[: int(number)] + edits[int(number) + 1 :]


def _readable_context(field: str, event: Event) -> tuple[str, object]:
    known: Any = event["context"]
    texts = known if isinstance(known, dict) else {}
    return "context", {name: value[:TEXT_KEPT] if (value := texts.get(name)) else None for name in CONTEXT_FIELDS}


def _sound_changes(field: str, event: Event) -> tuple[str, object]:
    """The changes without what their kind does not have, such as identities that are null."""
    return "changes", [sound for change in event["changes"] if (sound := _sound_change(change))]


def _sound_change(change: Change) -> Change | None:
    field, kind = change["field"], change["kind"]
    if not isinstance(field, str) or not field or not isinstance(kind, str) or kind not in CHANGE_KINDS:
        return None
    if kind == "relation":
        return change_record(
            field, kind, before_ids=_texts(change["before_ids"]), after_ids=_texts(change["after_ids"])
        )
    edits = change["edits"] if kind == "text" else None
    return change_record(field, kind, before=_text(change["before"]), after=_text(change["after"]), edits=edits)


def _sound_keyframe(field: str, event: Event) -> tuple[str, object]:
    """The keyframe without identities that are null; none where it is no keyframe at all."""
    match event["keyframe"]:
        case {"values": dict() as values, "relations": dict() as relations}:
            sound = {name: _text(value) for name, value in values.items()}
            return "keyframe", {
                "values": sound,
                "relations": {name: _texts(identities) for name, identities in relations.items()},
            }
    return "keyframe", None


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _nothing(value: object) -> "Remedy":
    return lambda field, event: (field, value)


Remedy = Callable[[str, Event], tuple[str, object]]
"""(field of the violation, event) → path and value of an amendment."""

_REMEDIES: list[tuple[str, Remedy]] = [
    (r"title|status", _shortened),
    (r"occurred_at", _when_recorded),
    (r"actor\.type", _unknown),
    (r"actor\.snapshot", _nothing(None)),
    (r"context", _readable_context),
    (r"labels", _nothing({})),
    (r"changes", _nothing([])),
    (r"Change\..*|changes\[\d+\]\.[a-z_]+", _sound_changes),
    (r"keyframe", _sound_keyframe),
    (r"changes\[\d+\]\.edits\[\d+\]", _without),
]
