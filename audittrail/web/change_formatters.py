"""What is shown of an event's changes: a formatter for each kind of change.

Everything returned is safe HTML; values of events are always escaped.
"""

from collections.abc import Callable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from audittrail.events import edit_script
from audittrail.events.event import Change, ChangeKind
from audittrail.events.versions import State
from audittrail.models import AuditEvent
from audittrail.timeline.excerpts import Excerpt, excerpts, summarised, whole_text
from audittrail.web.marks import NOTHING, excerpt_in_line, inserted, removed, replacement, side_of_excerpt
from audittrail.web.wording import as_words, scalar_as_words

_EXCERPTS_IN_ROW = 3
_VALUE_IN_ROW = 160
_EXCERPTS_IN_FULL = 500
_LONGEST_IN_FULL = 20_000


class ChangeFormatter:
    """Shows one change of an event; ``before`` is the text before, where that is known."""

    def __init__(self, change: Change, labels: dict[str, str], before: str | None = None):
        self.change, self.labels, self.before = change, labels, before

    @property
    def field(self) -> str:
        return as_words(self.change["field"])

    def inline(self) -> SafeString:
        """In a row of the timeline, shortened."""
        raise NotImplementedError

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        """In full, as pairs of before and after."""
        raise NotImplementedError

    def stacked(self) -> list[SafeString]:
        """In full, one under the other."""
        return [format_html("{} {}", before, after) for before, after in self.columns()]


class ScalarChange(ChangeFormatter):
    def inline(self) -> SafeString:
        before, after = (_shortened(text) for text in self._texts())
        return replacement(before, after)

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        before, after = self._texts()
        return [(removed(before) if before else NOTHING, inserted(after) if after else NOTHING)]

    def _texts(self) -> tuple[str, str]:
        return scalar_as_words(self.change["before"], self.labels), scalar_as_words(self.change["after"], self.labels)


class TextChange(ChangeFormatter):
    def inline(self) -> SafeString:
        if self.change["edits"] is None:
            return mark_safe('<span class="at-soft">rewritten; the text before is not known</span>')
        shown = summarised(excerpts(self.before, self._edits), _EXCERPTS_IN_ROW)
        return format_html_join(
            mark_safe('<span class="at-sep"> · </span>'), "{}", ((excerpt_in_line(each),) for each in shown)
        )

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        return [(side_of_excerpt(each, "inserted"), side_of_excerpt(each, "removed")) for each in self._excerpts()]

    def stacked(self) -> list[SafeString]:
        return [excerpt_in_line(each) for each in self._excerpts()]

    @property
    def _edits(self) -> list[edit_script.Edit]:
        return edit_script.from_records(self.change["edits"] or ())

    def _excerpts(self) -> list[Excerpt]:
        if self.change["edits"] is None:
            return [whole_text(self.change["after"] or "", "inserted")]
        return summarised(excerpts(self.before, self._edits, context=240, longest=_LONGEST_IN_FULL), _EXCERPTS_IN_FULL)


class RelationChange(ChangeFormatter):
    def inline(self) -> SafeString:
        gone, new = self._difference()
        if not gone and not new:
            return mark_safe('<span class="at-soft">in another order</span>')
        return format_html_join(" ", "{}", [(removed(name),) for name in gone] + [(inserted(name),) for name in new])

    def columns(self) -> list[tuple[SafeString, SafeString]]:
        before, after = self._before, self._after
        return [(self._marked(before, after, removed), self._marked(after, before, inserted))]

    def stacked(self) -> list[SafeString]:
        return [self.inline()]

    @property
    def _before(self) -> list[str]:
        return self.change["before_ids"] or []

    @property
    def _after(self) -> list[str]:
        return self.change["after_ids"] or []

    def _difference(self) -> tuple[list[str], list[str]]:
        before, after = self._before, self._after
        return [self._name(i) for i in before if i not in after], [self._name(i) for i in after if i not in before]

    def _marked(self, ids: list[str], others: list[str], mark: Callable[[str], SafeString]) -> SafeString:
        """The names of one side, those that the other side does not have marked."""
        known = set(others)
        names = [(self._name(i) if i in known else mark(self._name(i)),) for i in ids]
        return format_html_join(", ", "{}", names) or NOTHING

    def _name(self, identity: str) -> str:
        return self.labels.get(identity, identity)


change_formatters: dict[ChangeKind, type[ChangeFormatter]] = {
    "scalar": ScalarChange,
    "text": TextChange,
    "relation": RelationChange,
}


def formatter_of(event: AuditEvent, change: Change, before: State | None) -> ChangeFormatter:
    """The formatter of one change of an event; ``before`` is the article before it, None where that is not known."""
    names = before.labels.get(change["field"], {}) if before else {}
    text = before.values.get(change["field"]) if before else None
    return change_formatters[change["kind"]](change, names | event.labels.get(change["field"], {}), text)


def _shortened(text: str) -> str:
    return text if len(text) <= _VALUE_IN_ROW else text[:_VALUE_IN_ROW] + "…"
