"""What differs between two versions of an article, in the form of an event's changes."""

from collections.abc import Iterable

from audittrail import tracking
from audittrail.events import edit_script
from audittrail.events.event import Change, Keyframe, change_record


def comparison(kind: str, before: Keyframe, after: Keyframe) -> list[Change]:
    """Changes that lead from one keyframe to another, fields in the order they are tracked in."""
    known = tracking.tracked(kind)
    texts = known.texts if known else ("standfirst", "body")
    values = [
        _value(name, before["values"].get(name), after["values"].get(name), name in texts)
        for name in _names(before["values"], after["values"])
    ]
    relations = [
        _relation(name, before["relations"].get(name), after["relations"].get(name))
        for name in _names(before["relations"], after["relations"])
    ]
    changes = [change for change in values + relations if change]
    order = {name: place for place, name in enumerate(known.names)} if known else {}
    return sorted(changes, key=lambda change: order.get(change["field"], len(order)))


def _names(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*before, *after]))


def _value(name: str, before: str | None, after: str | None, is_text: bool) -> Change | None:
    if before == after:
        return None
    if is_text:
        return change_record(name, "text", edits=edit_script.as_records(edit_script.diff(before or "", after or "")))
    return change_record(name, "scalar", before=before, after=after)


def _relation(name: str, before: list[str] | None, after: list[str] | None) -> Change | None:
    if (before or []) == (after or []):
        return None
    return change_record(name, "relation", before_ids=before or [], after_ids=after or [])
