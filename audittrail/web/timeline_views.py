"""The pages of the trail in the admin: articles, a timeline, an event, a version, a comparison, the search box."""

from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.generic import TemplateView

from audittrail import tracking
from audittrail.admin_base import AdminPage
from audittrail.events import database_rows
from audittrail.events.html import looks_like_html, marked, readable_document, safe_html
from audittrail.events.versions import State, VersionError, is_reference
from audittrail.models import AuditEvent, Fork, Head, VerifiedHead
from audittrail.search import index, queries, query_language
from audittrail.timeline import articles as article_list
from audittrail.timeline.comparison import comparison
from audittrail.timeline.filters import BadFilter, Filters
from audittrail.timeline.freshness import current_to, search_lag
from audittrail.timeline.gaps import gaps
from audittrail.timeline.histogram import Picture, picture
from audittrail.timeline.overview import Bar, overview
from audittrail.timeline.pages import newest_sequence, page
from audittrail.timeline.version_walk import states_before, version
from audittrail.web import change_formatters as words
from audittrail.web import view_models
from audittrail.web.export import response as export_response

FORKS_SHOWN = 20


class TrailPage(AdminPage, TemplateView):
    """A page for whoever may read the trail; a filter that makes no sense is a 400 that says so."""

    permission_required = "audittrail.view_auditevent"
    title = "Audit trail"

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        try:
            return super().get(request, *args, **kwargs)
        except (BadFilter, article_list.BadCursor, queries.BadCursor) as problem:
            return self._refused(str(problem))

    def _refused(self, problem: str) -> HttpResponse:
        context = self.model_admin.admin_site.each_context(self.request) | {
            "title": "This address cannot be read",
            "problem": problem,
        }
        return render(self.request, "audittrail/refused.html", context, status=400)


class ArticlesPage(TrailPage):
    """Articles, those changed last first."""

    title = "Articles"
    template_name = "audittrail/articles.html"

    def get_context_data(self, **kwargs) -> dict:
        filters = Filters.from_query(self.request.GET)
        status = self.request.GET.get("status", "").replace("\x00", "")
        found = article_list.articles(filters.text, status, self.request.GET.get("cursor") or None)
        listed = [view_models.event_row(event) for event in found.events]
        asked = {"text": filters.text, "status": status, "statuses": article_list.statuses()}
        return super().get_context_data(rows=listed, older=found.older, **asked, **kwargs)


class ArticlePage(TrailPage):
    """A page about one article, ``article_id`` of the URL."""

    @property
    def article_id(self) -> str:
        return self.kwargs["article_id"]

    @cached_property
    def newest(self) -> int:
        """The last stored sequence. Raises Http404 for an article that was never captured."""
        newest = newest_sequence(self.article_id)
        if not newest and not Head.objects.filter(pk=self.article_id).exists():
            raise Http404(f"There is no article {self.article_id} in the audit trail.")
        return newest

    @cached_property
    def overview(self):
        return overview(self.article_id, self.newest)

    def event(self, sequence: int) -> AuditEvent:
        event = AuditEvent.objects.filter(article_id=self.article_id, sequence=sequence).first()
        if event is None:
            raise Http404(f"Event {sequence} of {self.article_id} is not in the database.")
        return event

    def get_context_data(self, **kwargs) -> dict:
        return super().get_context_data(zone=timezone.get_current_timezone_name(), **kwargs)


class TimelinePage(ArticlePage):
    """What happened to an article, newest first."""

    title = "Timeline"
    template_name = "audittrail/timeline.html"

    def get_context_data(self, **kwargs) -> dict:
        filters = Filters.from_query(self.request.GET)
        shown = page(
            self.article_id, self.newest, filters, _cursor(self.request, "before"), _cursor(self.request, "after")
        )
        missing = (
            []
            if filters
            else gaps(self.article_id, [event.sequence for event in shown.events], shown.lowest, shown.highest)
        )
        days = view_models.timeline_rows(self.article_id, shown.events, missing)
        return super().get_context_data(page=shown, days=days, filters=filters, **self._surroundings(filters), **kwargs)

    def _surroundings(self, filters: Filters) -> dict:
        return {
            "overview": self.overview,
            "status": words.words(self.overview.status or "current"),
            "newest": self.newest,
            "picture": picture(self.overview.bars, filters.since, filters.until),
            "fields": _field_names(self.overview.kind),
            "forks": Fork.objects.filter(article_id=self.article_id).order_by("-sequence")[:FORKS_SHOWN],
            "verified": VerifiedHead.objects.filter(article_id=self.article_id).first(),
            "current_to": current_to(self.article_id, self.newest, self.overview.last_recorded_at),
            "now": timezone.now(),
        }


class EventPage(ArticlePage):
    """One event in full; with `?panel`, only its inspector, for the side of the timeline."""

    title = "Event"
    template_name = "audittrail/event.html"

    def get_template_names(self) -> list[str]:
        return ["audittrail/includes/inspector.html"] if "panel" in self.request.GET else [self.template_name]

    def get_context_data(self, **kwargs) -> dict:
        event = self.event(self.kwargs["sequence"])
        row = view_models.event_row(event)
        _, before = next(states_before(self.article_id, event.sequence, event.sequence))
        changes = [words.change(event, record, before) for record in event.changes]
        problem = (
            "their content lies in object storage and was not brought here"
            if is_reference(database_rows.event_of(event))
            else ""
        )
        inline = self.request.GET.get("view") == "inline"
        return super().get_context_data(
            event=event, row=row, changes=changes, problem=problem, inline=inline, newest=self.newest, **kwargs
        )


class VersionPage(ArticlePage):
    """The article as it was right after an event; `?as=text` shows its texts without markup."""

    title = "Version"
    template_name = "audittrail/version.html"

    def get_context_data(self, **kwargs) -> dict:
        event = self.event(self.kwargs["sequence"])
        as_text = self.request.GET.get("as") == "text"
        try:
            state, problem = version(self.article_id, event.sequence), ""
        except VersionError as error:
            state, problem = State(), str(error)
        names = [name for name in _field_names(event.kind) if name in state.values]
        parts = [_field(name, state.values[name], state, as_text) for name in dict.fromkeys([*names, *state.values])]
        relations = [
            (words.words(name), [state.labels.get(name, {}).get(i, i) for i in ids])
            for name, ids in state.relations.items()
        ]
        return super().get_context_data(
            event=event,
            row=view_models.event_row(event),
            parts=parts,
            relations=relations,
            problem=problem,
            as_text=as_text,
            newest=self.newest,
            **kwargs,
        )


class ComparePage(ArticlePage):
    """Two versions, side by side or inline; each a sequence, or `previous`, `published`, `live` or `current`."""

    title = "Compare versions"
    template_name = "audittrail/compare.html"

    def get_context_data(self, **kwargs) -> dict:
        after = self._sequence("to", "current")
        before = self._sequence("from", "previous", after)
        changes, problem = self._compared(before, after)
        inline = self.request.GET.get("view") == "inline"
        return super().get_context_data(
            before=before,
            after=after,
            changes=changes,
            problem=problem,
            inline=inline,
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
        sequence = named[asked] if asked in named else _number(parameter, asked)
        if sequence is None:
            raise BadFilter(parameter, "this article was never published; compare with a version by its number.")
        if not 0 < sequence <= max(self.newest, 1):
            raise BadFilter(parameter, f"there is no version {sequence}; this article has 1 to {self.newest}.")
        return sequence

    def _compared(self, before: int, after: int) -> tuple[list[words.Change], str]:
        try:
            return _differences(
                self.overview.kind, version(self.article_id, before), version(self.article_id, after)
            ), ""
        except VersionError as error:
            return [], str(error)


class SearchPage(TrailPage):
    """The one box over all events."""

    title = "Search"
    template_name = "audittrail/search.html"

    def get_context_data(self, **kwargs) -> dict:
        text = self.request.GET.get("q", "")
        found = {
            "qualifiers": query_language.QUALIFIERS,
            "text": text,
            "histogram_since": urlencode({"q": f"{text} after:"}),
        }
        try:
            answer = queries.search(text, after=self.request.GET.get("cursor") or None)
            found |= {"answer": answer, "hits": [_Hit(hit) for hit in answer.hits], "picture": _search_picture(text)}
        except queries.SearchUnavailable as problem:
            found |= {"away": str(problem)}
        return super().get_context_data(**found, **kwargs)


class _Hit:
    """A hit in words; what Elasticsearch marked is sanitised like everything stored."""

    def __init__(self, hit: queries.Hit):
        document = hit.document
        self.article_id, self.sequence = hit.article_id, hit.sequence
        self.title = document.get("title") or hit.article_id
        self.action = words.words(document.get("action") or "")
        self.actor = (
            (document.get("actor") or {}).get("name") or (document.get("actor") or {}).get("id") or "Someone unknown"
        )
        self.occurred_at = _moment(document.get("occurred_at"))
        self.passages = [
            (words.words(name.replace(".", " ")), [marked(text) for text in texts])
            for name, texts in hit.highlights.items()
        ]


def new_events(request: HttpRequest, article_id: str) -> JsonResponse:
    """What the timeline asks every few seconds: how many events came after the one it shows, and how fresh all is."""
    newest = newest_sequence(article_id)
    last = (
        AuditEvent.objects.filter(article_id=article_id, sequence=newest).values_list("recorded_at", flat=True).first()
    )
    complete_to, lag = current_to(article_id, newest, last), search_lag()
    return JsonResponse(
        {
            "new": max(0, newest - (_cursor(request, "seen") or 0)),
            "newest": newest,
            "current_to": complete_to and timezone.localtime(complete_to).strftime("%H:%M:%S"),
            "search_seconds": lag.seconds,
            "search_problem": lag.reason,
        }
    )


def stored(request: HttpRequest, article_id: str, sequence: int) -> JsonResponse:
    """Whether the search index holds an event; asked apart from its page, which never waits for the index."""
    try:
        found = index.stored([(article_id, sequence)], ["event_id"])
    except index.SearchUnavailable:
        return JsonResponse({"search": "search cannot be asked now"})
    return JsonResponse({"search": "search" if found else "not yet in search"})


def export(request: HttpRequest, article_id: str, form: str) -> HttpResponse:
    """The events of a timeline, those its filters let through, oldest first, as `jsonl` or `csv`."""
    return export_response(article_id, Filters.from_query(request.GET), form)


def to_event(request: HttpRequest, event_id) -> HttpResponse:
    """An event by its identity alone leads to its page."""
    found = AuditEvent.objects.filter(pk=event_id).values_list("article_id", "sequence").first()
    if found is None:
        raise Http404(f"There is no event {event_id} in the database.")
    return redirect(reverse("admin:audittrail_event", args=found))


def _cursor(request: HttpRequest, name: str) -> int | None:
    return _number(name, request.GET[name]) if request.GET.get(name) else None


def _number(parameter: str, raw: str) -> int:
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 19):
        raise BadFilter(parameter, f"{raw[:40]!r} is not the number of an event.")
    return int(raw)


def _field_names(kind: str) -> list[str]:
    known = tracking.tracked(kind)
    return list(known.names) if known else []


def _differences(kind: str, before: State, after: State) -> list[words.Change]:
    found = comparison(
        kind,
        {"values": before.values, "relations": before.relations},
        {"values": after.values, "relations": after.relations},
    )
    return [
        words.changes[each["kind"]](each, _names(each["field"], before, after), before.values.get(each["field"]))
        for each in found
    ]


def _names(field: str, before: State, after: State) -> dict[str, str]:
    return before.labels.get(field, {}) | after.labels.get(field, {})


def _field(name: str, value: str | None, state: State, as_text: bool) -> dict:
    """A field of a version for the template: a short value, a plain text, or HTML for a frame without any rights."""
    if value is None or (len(value) <= 200 and not looks_like_html(value)):
        return {"name": words.words(name), "short": words.value_words(value, state.labels.get(name))}
    if as_text or not looks_like_html(value):
        return {"name": words.words(name), "text": readable_document(value) if looks_like_html(value) else value}
    return {"name": words.words(name), "html": safe_html(value)}


def _search_picture(text: str) -> Picture | None:
    buckets = queries.histogram(text).buckets
    if not buckets:
        return None
    ends = [bucket.start for bucket in buckets[1:]] + [timezone.now()]
    return picture(
        [Bar(bucket.start, end, bucket.events, bucket.publications) for bucket, end in zip(buckets, ends, strict=True)]
    )


def _moment(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None
