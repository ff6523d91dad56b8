"""What an event amounts to: its action, and the words that its texts gained and lost."""

from collections.abc import Iterable
from typing import TypedDict

from audittrail import contracts, tracking
from audittrail.events import edit_script
from audittrail.events.edit_script import Edit
from audittrail.events.event import ActionName, ActorProfile, Event


class Enrichment(TypedDict):
    """What the enricher sets in an event."""

    action: ActionName
    actor_profile: ActorProfile | None
    words_added: int
    words_removed: int
    schema_version: int


def enrichment(event: Event, profile: ActorProfile | None) -> Enrichment:
    """What the enriched event has beyond the raw one, whose content must be whole."""
    edits = list(_edits(event))
    return {
        "action": action(event),
        "actor_profile": profile,
        "words_added": edit_script.words_added(edits),
        "words_removed": edit_script.words_removed(edits),
        "schema_version": contracts.latest(contracts.ENRICHED),
    }


def action(event: Event) -> ActionName:
    """What the event amounts to: created, deleted, published, unpublished, status_changed, edited or saved.

    What the status field is called and which states are public is said where the model is plugged in; of kinds known to
    an outside CMS only, the field is `status` and the public state `published`.
    """
    if event["operation"] != "update":
        return "created" if event["operation"] == "create" else "deleted"
    tracked = tracking.tracked(event["kind"])
    published = tracked.published if tracked else frozenset({"published"})
    changes = {change["field"]: change for change in event["changes"]}
    if tracked and tracked.publication in changes and event["status"] in published:
        return "published"
    if change := changes.get((tracked.status if tracked else "status") or ""):
        return _status_action(change["before"] in published, change["after"] in published)
    return "edited" if changes else "saved"


def _status_action(was_public: bool, is_public: bool) -> ActionName:
    if was_public == is_public:
        return "status_changed"
    return "published" if is_public else "unpublished"


def _edits(event: Event) -> Iterable[Edit]:
    """The edits of all texts; at creation each text is one insertion."""
    if event["operation"] == "create":
        tracked = tracking.tracked(event["kind"])
        values = event["keyframe"]["values"] if event["keyframe"] else {}
        for name in tracked.texts if tracked else ():
            yield Edit(0, "", values.get(name) or "")
    for change in event["changes"]:
        yield from edit_script.from_records(change["edits"] or ())
