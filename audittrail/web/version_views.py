"""The pages of an article's versions in the admin: one version, and two compared."""

from typing import TypedDict

from audittrail.events.html import looks_like_html, readable_document, safe_html
from audittrail.events.versions import State, VersionError
from audittrail.timeline.comparison import comparison
from audittrail.timeline.filters import BadFilter
from audittrail.timeline.version_walk import version
from audittrail.web import view_models
from audittrail.web.change_formatters import ChangeFormatter, change_formatters
from audittrail.web.pages import ArticlePage, TemplateContext, sequence_of, tracked_fields
from audittrail.web.wording import as_words, scalar_as_words

_LONGEST_SHORT_VALUE = 200


class Part(TypedDict, total=False):
    """A field of a version for the template: a short value, a plain text, or HTML for a frame without any rights."""

    name: str
    short: str
    text: str
    html: str


class VersionPage(ArticlePage):
    """The article as it was right after an event; `?as=text` shows its texts without markup."""

    title = "Version"
    template_name = "audittrail/version.html"

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        event = self.event(self.kwargs["sequence"])
        as_text = self.request.GET.get("as") == "text"
        try:
            state, problem = version(self.article_id, event.sequence), ""
        except VersionError as error:
            state, problem = State(), str(error)
        names = [name for name in tracked_fields(event.kind) if name in state.values]
        return super().get_context_data(
            event=event,
            row=view_models.event_row(event),
            parts=[_part(name, state, as_text) for name in dict.fromkeys([*names, *state.values])],
            relations=_relations(state),
            problem=problem,
            as_text=as_text,
            newest=self.newest,
            **kwargs,
        )


class ComparePage(ArticlePage):
    """Two versions, side by side or inline; each a sequence, or `previous`, `published`, `live` or `current`."""

    title = "Compare versions"
    template_name = "audittrail/compare.html"

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        after = self._sequence("to", "current")
        before = self._sequence("from", "previous", after)
        changes, problem = self._compared(before, after)
        return super().get_context_data(
            before=before,
            after=after,
            changes=changes,
            problem=problem,
            inline=self.request.GET.get("view") == "inline",
            overview=self.overview,
            newest=self.newest,
            **kwargs,
        )

    def _sequence(self, parameter: str, default: str, other: int = 0) -> int:
        asked = self.request.GET.get(parameter) or default
        named = {
            "current": self.newest,
            "live": self.overview.live,
            "published": self.overview.publication,
            "previous": other - 1,
        }
        sequence = named[asked] if asked in named else sequence_of(parameter, asked)
        if sequence is None:
            raise BadFilter(parameter, "this article was never published; compare with a version by its number.")
        if not 0 < sequence <= max(self.newest, 1):
            raise BadFilter(parameter, f"there is no version {sequence}; this article has 1 to {self.newest}.")
        return sequence

    def _compared(self, before: int, after: int) -> tuple[list[ChangeFormatter], str]:
        try:
            states = version(self.article_id, before), version(self.article_id, after)
        except VersionError as error:
            return [], str(error)
        return _differences(self.overview.kind, *states), ""


def _differences(kind: str, before: State, after: State) -> list[ChangeFormatter]:
    found = comparison(
        kind,
        {"values": before.values, "relations": before.relations},
        {"values": after.values, "relations": after.relations},
    )
    return [
        change_formatters[each["kind"]](each, _labels(each["field"], before, after), before.values.get(each["field"]))
        for each in found
    ]


def _labels(field: str, before: State, after: State) -> dict[str, str]:
    return before.labels.get(field, {}) | after.labels.get(field, {})


def _part(name: str, state: State, as_text: bool) -> Part:
    value = state.values[name]
    if value is None or (len(value) <= _LONGEST_SHORT_VALUE and not looks_like_html(value)):
        return {"name": as_words(name), "short": scalar_as_words(value, state.labels.get(name))}
    if as_text or not looks_like_html(value):
        return {"name": as_words(name), "text": readable_document(value) if looks_like_html(value) else value}
    return {"name": as_words(name), "html": safe_html(value)}


def _relations(state: State) -> list[tuple[str, list[str]]]:
    return [
        (as_words(name), [state.labels.get(name, {}).get(identity, identity) for identity in ids])
        for name, ids in state.relations.items()
    ]
