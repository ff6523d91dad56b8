"""How events read: a formatter for each action (the sentence) and for each kind of change (what is shown of it).

To give a new action its own words: subclass ``Action`` and decorate it with ``@action("its_name")``.
Everything returned is safe HTML; values of events are always escaped.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince

from audittrail import tracking
from audittrail.events import edit_script
from audittrail.events.versions import State
from audittrail.models import AuditEvent
from audittrail.timeline.excerpts import Passage, Piece, passages, summed_up, whole

_PASSAGES_IN_ROW = 3
_VALUE_IN_ROW = 160
_PASSAGES_IN_FULL = 500
_LONGEST_IN_FULL = 20_000
_ELLIPSIS = mark_safe(' <span class="at-elided">…</span> ')
_NOTHING = mark_safe('<span class="at-nothing">nothing</span>')

# --- words
# ----------------------------------------------------------------------------------------------------------------


def words(name: str) -> str:
    """A field's or state's identifier as words: `in_review` → in review."""
    return name.replace("_", " ")


def value_words(value: str | None, labels: dict[str, str] | None = None) -> str:
    """A scalar as a person reads it: its name where it has one; what a masked field held is not told."""
    if value is None or value == "":
        return ""
    if value.startswith("masked:"):
        return "(masked)"
    return (labels or {}).get(value, value)


def actor_name(event: AuditEvent) -> str:
    """Who acted, by the name they had then."""
    if event.actor_name:
        return event.actor_name
    return {"system": "The system", "service": event.actor_id or "A service", "user": event.actor_id or "A user"}.get(
        event.actor_type, "Someone unknown"
    )


def actor_place(event: AuditEvent) -> str:
    """Their role and desk then."""
    return ", ".join(filter(None, (words(event.actor_role), event.actor_desk)))


def ago(moment: datetime) -> str:
    """How long ago, in its largest unit only."""
    passed = timesince(moment, depth=1)
    return "just now" if passed.startswith("0") else f"{passed} ago"


def initials(event: AuditEvent) -> str:
    parts = [part for part in actor_name(event).split() if part[0].isalnum()]
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper() or "?"


# --- marks
# ----------------------------------------------------------------------------------------------------------------


def removed(text: str) -> SafeString:
    return format_html("<del>{}</del>", text)


def inserted(text: str) -> SafeString:
    return format_html("<ins>{}</ins>", text)


def _piece(piece: Piece) -> SafeString:
    if piece.kind == "elided":
        return _ELLIPSIS
    if piece.kind == "note":
        return format_html('<span class="at-soft">({})</span>', piece.text)
    text = format_html("<code>{}</code>", piece.text) if piece.markup else piece.text
    return {"removed": removed, "inserted": inserted}.get(piece.kind, lambda same: format_html("{}", same))(text)


def passage(pieces: Iterable[Piece]) -> SafeString:
    """A passage in one line, removals before insertions."""
    return mark_safe("".join(_piece(piece) for piece in pieces))  # noqa: S308 - each piece is escaped


def _side(pieces: Iterable[Piece], without: str) -> SafeString:
    return passage(piece for piece in pieces if piece.kind != without)


# --- changes
# --------------------------------------------------------------------------------------------------------------


class Change:
    """Shows one change of an event; ``before`` is the text before, where that is known."""

    def __init__(self, change: dict, labels: dict[str, str], before: str | None = None):
        self.change, self.labels, self.before = change, labels, before

    @property
    def field(self) -> str:
        return words(self.change["field"])

    def inline(self) -> SafeString:
        """In a row of the timeline, shortened."""
        raise NotImplementedError

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        """In full, as pairs of before and after."""
        raise NotImplementedError

    def stacked(self) -> list[SafeString]:
        """In full, one under the other."""
        return [format_html("{} {}", before, after) for before, after in self.columns()]


class Scalar(Change):
    def inline(self) -> SafeString:
        before, after = (_shortened(text) for text in self._texts())
        return _replacement(before, after)

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        before, after = self._texts()
        return [(removed(before) if before else _NOTHING, inserted(after) if after else _NOTHING)]

    def _texts(self) -> tuple[str, str]:
        return value_words(self.change["before"], self.labels), value_words(self.change["after"], self.labels)


class Text(Change):
    def inline(self) -> SafeString:
        if self.change["edits"] is None:
            return mark_safe('<span class="at-soft">rewritten; the text before is not known</span>')
        shown = summed_up(passages(self.before, self._edits), _PASSAGES_IN_ROW)
        return format_html_join(
            mark_safe('<span class="at-sep"> · </span>'), "{}", ((passage(each),) for each in shown)
        )

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        return [(_side(each, "inserted"), _side(each, "removed")) for each in self._passages()]

    def stacked(self) -> list[SafeString]:
        return [passage(each) for each in self._passages()]

    @property
    def _edits(self) -> list[edit_script.Edit]:
        return edit_script.from_records(self.change["edits"])

    def _passages(self) -> list[Passage]:
        if self.change["edits"] is None:
            return [whole(self.change["after"] or "", "inserted")]
        return summed_up(passages(self.before, self._edits, context=240, longest=_LONGEST_IN_FULL), _PASSAGES_IN_FULL)


class Relation(Change):
    def inline(self) -> SafeString:
        gone, new = self._difference()
        if not gone and not new:
            return mark_safe('<span class="at-soft">in another order</span>')
        return format_html_join(" ", "{}", [(removed(name),) for name in gone] + [(inserted(name),) for name in new])

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        return [(self._listed("before_ids", "after_ids", removed), self._listed("after_ids", "before_ids", inserted))]

    def stacked(self) -> list[SafeString]:
        return [self.inline()]

    def _difference(self) -> tuple[list[str], list[str]]:
        before, after = self._ids("before_ids"), self._ids("after_ids")
        return [self._name(i) for i in before if i not in after], [self._name(i) for i in after if i not in before]

    def _listed(self, side: str, other: str, mark: Callable[[str], SafeString]) -> SafeString:
        others = set(self._ids(other))
        names = [(self._name(i) if i in others else mark(self._name(i)),) for i in self._ids(side)]
        return format_html_join(", ", "{}", names) or _NOTHING

    def _ids(self, side: str) -> list[str]:
        return self.change[side] or []

    def _name(self, identity: str) -> str:
        return self.labels.get(identity, identity)


changes: dict[str, type[Change]] = {"scalar": Scalar, "text": Text, "relation": Relation}


def change(event: AuditEvent, record: dict, before: State | None) -> Change:
    """The formatter of one change of an event; ``before`` is the article before it, None where that is not known."""
    names = before.labels.get(record["field"], {}) if before else {}
    text = before.values.get(record["field"]) if before else None
    return changes[record["kind"]](record, names | event.labels.get(record["field"], {}), text)


def _shortened(text: str) -> str:
    return text if len(text) <= _VALUE_IN_ROW else text[:_VALUE_IN_ROW] + "…"


def _replacement(before: str, after: str) -> SafeString:
    if not before:
        return inserted(after) if after else _NOTHING
    if not after:
        return removed(before)
    if len(before.split()) > 2 and len(after.split()) > 2:
        return passage(_words_replaced(before, after))
    return format_html('{} <span class="at-soft" aria-label="became">→</span> {}', removed(before), inserted(after))


def _words_replaced(before: str, after: str) -> Iterable[Piece]:
    at = 0
    for position, gone, new in edit_script.diff(before, after):
        yield Piece("same", before[at:position])
        yield from (piece for piece in (Piece("removed", gone), Piece("inserted", new)) if piece.text)
        at = position + len(gone)
    yield Piece("same", before[at:])


# --- actions
# --------------------------------------------------------------------------------------------------------------


class Action:
    """What an event says after its actor's name. ``icon`` is a Material symbol, ``badge`` a word that stands out."""

    icon = "edit"
    badge = ""
    tone = "plain"

    def sentence(self, event: AuditEvent) -> SafeString:
        raise NotImplementedError

    def shown(self, event: AuditEvent) -> list[dict]:
        """The changes that the sentence does not tell already."""
        return event.changes


actions: dict[str, Action] = {}


def action(name: str) -> Callable[[type[Action]], type[Action]]:
    """Registers the words of an action."""

    def register(formatter: type[Action]) -> type[Action]:
        actions[name] = formatter()
        return formatter

    return register


def action_of(event: AuditEvent) -> Action:
    return actions.get(event.action) or actions["edited"]


def field_names(names: Iterable[str]) -> SafeString:
    return format_html_join(", ", "<b>{}</b>", ((words(name),) for name in names))


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
            format_html("<b>created</b> the article <q>{}</q>", event.title)
            if event.title
            else mark_safe("<b>created</b> the article")
        )


@action("deleted")
class Deleted(Action):
    icon, badge, tone = "delete", "deleted", "gone"

    def sentence(self, event: AuditEvent) -> SafeString:
        return mark_safe("<b>deleted</b> the article")


@action("saved")
class Saved(Action):
    icon = "save"

    def sentence(self, event: AuditEvent) -> SafeString:
        return mark_safe("saved without a change")


class _OfStatus(Action):
    """An action that is a change of status: its sentence tells that change."""

    def sentence(self, event: AuditEvent) -> SafeString:
        status = next((record for record in event.changes if record["field"] == status_field(event)), None)
        if status is None:
            return format_html("{} version {}", self._verb(), event.sequence)
        before, after = words(status["before"] or ""), words(status["after"] or "")
        return format_html(
            "{} version {} <span class='at-status'>{}</span>", self._verb(), event.sequence, _replacement(before, after)
        )

    def shown(self, event: AuditEvent) -> list[dict]:
        return [record for record in event.changes if record["field"] != status_field(event)]

    def _verb(self) -> SafeString:
        return format_html("<b>{}</b>", self.badge)


@action("published")
class Published(_OfStatus):
    icon, badge, tone = "public", "published", "live"


@action("unpublished")
class Unpublished(_OfStatus):
    icon, badge, tone = "public_off", "unpublished", "gone"


@action("status_changed")
class StatusChanged(_OfStatus):
    icon, tone = "swap_horiz", "status"

    def _verb(self) -> SafeString:
        return mark_safe("changed the <b>status</b> of")


def status_field(event: AuditEvent) -> str:
    """The field that holds the status of this kind of article."""
    known = tracking.tracked(event.kind)
    return known.status if known and known.status else "status"
