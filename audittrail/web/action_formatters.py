"""How events read: a formatter for each action, which writes the sentence after the actor's name.

To give a new action its own words: subclass ``Action`` and decorate it with ``@action("its_name")``.
Everything returned is safe HTML; values of events are always escaped.
"""

from collections.abc import Callable

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from audittrail import tracking
from audittrail.events.event import Change
from audittrail.models import AuditEvent
from audittrail.web.marks import replacement
from audittrail.web.wording import as_words, field_names


class Action:
    """What an event says after its actor's name. ``icon`` is a Material symbol, ``badge`` a word that stands out."""

    icon = "edit"
    badge = ""
    tone = "plain"

    def sentence(self, event: AuditEvent) -> SafeString:
        raise NotImplementedError

    def shown(self, event: AuditEvent) -> list[Change]:
        """The changes that the sentence does not say already."""
        return list(event.changes)


actions: dict[str, Action] = {}


def action(name: str) -> Callable[[type[Action]], type[Action]]:
    """Registers the words of an action."""

    def register(formatter: type[Action]) -> type[Action]:
        actions[name] = formatter()
        return formatter

    return register


def action_of(event: AuditEvent) -> Action:
    """The formatter of the event's action; that of `edited` for an action which has none."""
    return actions.get(event.action) or actions["edited"]


@action("edited")
class Edited(Action):
    def sentence(self, event: AuditEvent) -> SafeString:
        names = [record["field"] for record in event.changes]
        return (
            format_html("edited {}", field_names(names)) if names else mark_safe("made a change too large for this row")
        )


@action("created")
class Created(Action):
    icon, tone = "note_add", "new"

    def sentence(self, event: AuditEvent) -> SafeString:
        return (
            format_html("<b>created</b> the {} <q>{}</q>", _noun(event), event.title)
            if event.title
            else format_html("<b>created</b> the {}", _noun(event))
        )


@action("deleted")
class Deleted(Action):
    icon, badge, tone = "delete", "deleted", "gone"

    def sentence(self, event: AuditEvent) -> SafeString:
        return format_html("<b>deleted</b> the {}", _noun(event))


@action("saved")
class Saved(Action):
    icon = "save"

    def sentence(self, event: AuditEvent) -> SafeString:
        return mark_safe("saved without a change")


class _StatusAction(Action):
    """An action that is a change of status: its sentence says from what to what."""

    def sentence(self, event: AuditEvent) -> SafeString:
        status = next((record for record in event.changes if record["field"] == _status_field(event)), None)
        if status is None:
            return format_html("{} version {}", self._verb(), event.sequence)
        before, after = as_words(status["before"] or ""), as_words(status["after"] or "")
        return format_html(
            "{} version {} <span class='at-status'>{}</span>", self._verb(), event.sequence, replacement(before, after)
        )

    def shown(self, event: AuditEvent) -> list[Change]:
        return [record for record in event.changes if record["field"] != _status_field(event)]

    def _verb(self) -> SafeString:
        return format_html("<b>{}</b>", self.badge)


@action("published")
class Published(_StatusAction):
    icon, badge, tone = "public", "published", "live"


@action("unpublished")
class Unpublished(_StatusAction):
    icon, badge, tone = "public_off", "unpublished", "gone"


@action("status_changed")
class StatusChanged(_StatusAction):
    icon, tone = "swap_horiz", "status"

    def _verb(self) -> SafeString:
        return mark_safe("changed the <b>status</b> of")


def _noun(event: AuditEvent) -> str:
    """What this kind of article is called."""
    known = tracking.tracked(event.kind)
    return str(known.model._meta.verbose_name) if known else "article"


def _status_field(event: AuditEvent) -> str:
    """The field that holds the status of this kind of article."""
    known = tracking.tracked(event.kind)
    return known.status if known and known.status else "status"
