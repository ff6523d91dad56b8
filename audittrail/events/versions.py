"""Any version of an article, rebuilt from its events: the last keyframe at or before it, and the changes from there."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from audittrail.events import edit_script
from audittrail.events.edit_script import EditScriptMismatch


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


@dataclass(frozen=True)
class State:
    """An article at one moment, as captured: scalars and texts by field, ids by relation, field → id → name as far as
    the events read tell.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    relations: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)


def is_reference(event: dict) -> bool:
    """Whether the event only refers to its content: one that was resolved keeps its reference, and has content beside
    it.
    """
    return event["payload"] is not None and not event["changes"] and event["keyframe"] is None


def apply_event(state: State | None, event: dict) -> State:
    """The state after the event; ``state`` is what the event before left, or None where that is not known (a keyframe
    starts anew).

    Raises UnresolvedPayload, NoKeyframe, or ChangeMismatch.
    """
    if is_reference(event):
        raise UnresolvedPayload(f"sequence {event['sequence']} lies in object storage")
    if event["operation"] == "delete":
        return State()
    if state is not None:
        state = changed(state, event)
    keyframe = event["keyframe"]
    if keyframe is not None:
        return State(
            dict(keyframe["values"]), dict(keyframe["relations"]), event["labels"] if state is None else state.labels
        )
    if state is None:
        raise NoKeyframe(f"sequence {event['sequence']} has no keyframe, and the state before it is not known")
    return state


def changed(state: State, event: dict) -> State:
    """The state with the event's changes made and its labels added; its keyframe is not looked at.

    A text without edits is taken whole, from ``before`` to ``after``: it was nothing before, or is nothing now; or it
    is not known before, and only the keyframe has it. Raises ChangeMismatch.
    """
    values, relations = dict(state.values), dict(state.relations)
    for change in event["changes"]:
        name = change["field"]
        if change["kind"] == "relation":
            _demand((relations.get(name) or []) == (change["before_ids"] or []), event, name)
            relations[name] = change["after_ids"] or []
        elif change["edits"] is not None:
            values[name] = _edited(values.get(name), change, event)
        elif change["kind"] == "scalar" or event["keyframe"] is None:
            _demand(values.get(name) == change["before"], event, name)
            values[name] = change["after"]
    return State(values, relations, _merged(state.labels, event["labels"]))


def rebuild(events: Iterable[dict], sequence: int | None = None) -> State:
    """The state at a sequence (default: the last given) from one article's events in order, which hold a keyframe at or
    before it.

    Raises VersionError: NoKeyframe, MissingEvents, UnresolvedPayload or ChangeMismatch.
    """
    needed: list[dict] = []
    for event in events:
        if sequence is not None and event["sequence"] > sequence:
            break
        if event["keyframe"] is not None or event["operation"] == "delete":
            needed.clear()
        needed.append(event)
    if not needed or (sequence is not None and needed[-1]["sequence"] != sequence):
        raise MissingEvents("no events" if sequence is None else f"no event of sequence {sequence}")
    state = apply_event(None, needed[0])
    for previous, event in zip(needed, needed[1:], strict=False):
        if event["sequence"] != previous["sequence"] + 1:
            raise MissingEvents(f"sequence {event['sequence']} follows {previous['sequence']}")
        state = apply_event(state, event)
    return state


def _edited(text: str | None, change: dict, event: dict) -> str:
    try:
        return edit_script.apply(text or "", edit_script.from_records(change["edits"]))
    except EditScriptMismatch as error:
        raise ChangeMismatch(f"sequence {event['sequence']}, {change['field']}: {error}") from error


def _demand(holds: bool, event: dict, name: str) -> None:
    if not holds:
        raise ChangeMismatch(f"sequence {event['sequence']}, {name}: the value before is not what the article had")


def _merged(labels: dict[str, dict[str, str]], more: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {**labels, **{name: {**labels.get(name, {}), **names} for name, names in more.items()}} if more else labels
