"""The article as it was, before each event of a page or at one version.

States are rebuilt event by event from the last keyframe, at most ``LONGEST_WALK`` events: that bounds the cost.
"""

from collections.abc import Iterator

from audittrail.events import versions
from audittrail.events.versions import EventContent, MissingEvents, NoKeyframe, State, VersionError
from audittrail.models import AuditEvent

LONGEST_WALK = 200
_NEEDED = ("sequence", "operation", "changes", "labels", "keyframe", "payload")


def version(article_id: str, sequence: int) -> State:
    """The article right after an event. Raises versions.VersionError, saying what stands in the way."""
    events = list(_since_keyframe(article_id, sequence, sequence))
    if not events or events[-1]["sequence"] != sequence:
        raise MissingEvents(f"event {sequence} is not in the database")
    if events[0]["keyframe"] is None and events[0]["operation"] != "delete":
        raise NoKeyframe(f"there is no keyframe among the {LONGEST_WALK} events up to {sequence}")
    return versions.rebuild(events, sequence)


def states_before(article_id: str, lowest: int, highest: int) -> Iterator[tuple[int, State | None]]:
    """Each stored sequence of [lowest, highest] with the article before it, oldest first.

    None where that is not known: no keyframe within ``LONGEST_WALK`` events, an event missing since it, or one that
    does not fit.
    """
    state: State | None = None
    expected: int | None = None
    for event in _since_keyframe(article_id, lowest - 1, highest):
        before = state if event["sequence"] == expected else None
        if event["sequence"] >= lowest:
            yield event["sequence"], before
        state, expected = _after(before, event), event["sequence"] + 1


def _after(state: State | None, event: EventContent) -> State | None:
    try:
        return versions.apply_event(state, event)
    except VersionError:  # verify_trail reports it; here the state is unknown until the next keyframe
        return None


def _since_keyframe(article_id: str, start_by: int, highest: int) -> Iterator[EventContent]:
    """Events up to ``highest`` from the last keyframe at or before ``start_by`` that the longest walk can reach."""
    events = AuditEvent.objects.filter(
        article_id=article_id, sequence__gt=highest - LONGEST_WALK, sequence__lte=highest
    )
    keyframes = events.filter(keyframe__isnull=False, sequence__lte=start_by).order_by("-sequence")
    start = keyframes.values_list("sequence", flat=True).first() or 1
    rows = events.filter(sequence__gte=start).order_by("sequence").values_list(*_NEEDED)
    for sequence, operation, changes, labels, keyframe, payload in rows:
        yield {
            "sequence": sequence,
            "operation": operation,
            "changes": changes,
            "labels": labels,
            "keyframe": keyframe,
            "payload": payload,
        }
