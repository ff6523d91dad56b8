"""Any version of an article, rebuilt from its events: the last keyframe at or before it, and the changes from there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypedDict

from audittrail.events import edit_script
from audittrail.events.edit_script import EditScriptMismatch
from audittrail.events.event import Change, EditRecord, Keyframe, Labels, Operation, PayloadReference


class VersionError(ValueError):
    """A version that cannot be rebuilt from the events given."""


class NoKeyframe(VersionError):
    """No keyframe at or before the version: there is nothing to start from."""


class MissingEvents(VersionError):
    """Events between the keyframe and the version are missing, or out of order."""


class UnresolvedPayload(VersionError):
    """An event refers to its payload: resolve it first (audittrail.archive.large_payloads)."""


class ChangeMismatch(VersionError):
    """A change whose ``before`` is not what the article had, or an edit script that does not fit its text."""


class EventContent(TypedDict):
    """What of an event takes part in versions; every Event has it."""

    sequence: int
    operation: Operation
    changes: list[Change]
    labels: Labels
    keyframe: Keyframe | None
    payload: PayloadReference | None


@dataclass(frozen=True)
class State:
    """An article at one moment, as captured: `values` by field (scalars and texts), `relations` as identities in order,
    `labels` as far as the events read have them.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    relations: dict[str, list[str]] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)


def is_reference(event: EventContent) -> bool:
    """Whether the event only refers to its content. One that was resolved keeps its reference, and has content too."""
    return event["payload"] is not None and not event["changes"] and event["keyframe"] is None


def apply_event(state: State | None, event: EventContent) -> State:
    """The state after the event; ``state`` is what the event before left, or None where that is not known: then the
    event needs a keyframe.

    Raises UnresolvedPayload, NoKeyframe, or ChangeMismatch.
    """
    if is_reference(event):
        raise UnresolvedPayload(f"sequence {event['sequence']} lies in object storage")
    if event["operation"] == "delete":
        return State()
    if state is not None:
        state = with_changes(state, event)
    keyframe = event["keyframe"]
    if keyframe is not None:
        return State(
            dict(keyframe["values"]), dict(keyframe["relations"]), event["labels"] if state is None else state.labels
        )
    if state is None:
        raise NoKeyframe(f"sequence {event['sequence']} has no keyframe, and the state before it is not known")
    return state


def with_changes(state: State, event: EventContent) -> State:
    """The state with the event's changes made and its labels added; its keyframe is not looked at.

    A text without edits is taken whole, from ``before`` to ``after``: it was nothing before, or is nothing now; or it
    is not known before, and only the keyframe has it. Raises ChangeMismatch.
    """
    values, relations = dict(state.values), dict(state.relations)
    for change in event["changes"]:
        name = change["field"]
        if change["kind"] == "relation":
            _require_before((relations.get(name) or []) == (change["before_ids"] or []), event, name)
            relations[name] = change["after_ids"] or []
        elif change["edits"] is not None:
            values[name] = _edited(values.get(name), change["edits"], event, name)
        elif change["kind"] == "scalar" or event["keyframe"] is None:
            _require_before(values.get(name) == change["before"], event, name)
            values[name] = change["after"]
    return State(values, relations, _merged(state.labels, event["labels"]))


def rebuild(events: Iterable[EventContent], sequence: int | None = None) -> State:
    """The state at a sequence (default: the last given) from one article's events in order, which hold a keyframe at or
    before it.

    Raises VersionError: NoKeyframe, MissingEvents, UnresolvedPayload or ChangeMismatch.
    """
    needed: list[EventContent] = []
    for event in events:
        if sequence is not None and event["sequence"] > sequence:
            break
        if event["keyframe"] is not None or event["operation"] == "delete":
            needed.clear()
        needed.append(event)
    if not needed or (sequence is not None and needed[-1]["sequence"] != sequence):
        raise MissingEvents("no events" if sequence is None else f"no event of sequence {sequence}")
    state = apply_event(None, needed[0])
    for previous, event in pairwise(needed):
        if event["sequence"] != previous["sequence"] + 1:
            raise MissingEvents(f"sequence {event['sequence']} follows {previous['sequence']}")
        state = apply_event(state, event)
    return state


def _edited(text: str | None, edits: list[EditRecord], event: EventContent, name: str) -> str:
    try:
        return edit_script.apply(text or "", edit_script.from_records(edits))
    except EditScriptMismatch as error:
        raise ChangeMismatch(f"sequence {event['sequence']}, {name}: {error}") from error


def _require_before(matches: bool, event: EventContent, name: str) -> None:
    if not matches:
        raise ChangeMismatch(f"sequence {event['sequence']}, {name}: the value before is not what the article had")


def _merged(labels: Labels, more: Labels) -> Labels:
    return {**labels, **{name: {**labels.get(name, {}), **names} for name, names in more.items()}} if more else labels
