"""The pages of timelines in the admin: articles, a timeline, an event, and what the timeline's script asks."""

from urllib.parse import quote, urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from audittrail.events import database_rows
from audittrail.events.versions import is_reference
from audittrail.models import AuditEvent, Fork, VerifiedHead
from audittrail.search import index
from audittrail.timeline import access, articles
from audittrail.timeline.filters import BadFilter, Filters
from audittrail.timeline.freshness import current_to, search_lag
from audittrail.timeline.gaps import gaps
from audittrail.timeline.histogram import draw_histogram
from audittrail.timeline.pages import newest_sequence, page
from audittrail.timeline.version_walk import states_before
from audittrail.web import export, view_models
from audittrail.web.change_formatters import formatter_of
from audittrail.web.pages import ArticlePage, TemplateContext, TrailPage, sequence_parameter, tracked_fields
from audittrail.web.wording import as_words

FORKS_SHOWN = 20


class ArticlesPage(TrailPage):
    """Articles, those changed last first."""

    title = "Articles"
    template_name = "audittrail/articles.html"

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        filters = Filters.from_query(self.request.GET)
        status = self.request.GET.get("status", "").replace("\x00", "")
        kinds = access.listed_on_request(self.request.user)
        kind = self.request.GET.get("kind", "")
        if kind and kind not in kinds:
            raise BadFilter("kind", f"{kind[:40]!r} is not one of {', '.join(kinds) or 'those that you may read'}.")
        found = articles.articles(filters.text, status, self.request.GET.get("cursor") or None, kind)
        listed = [view_models.event_row(event) for event in found.events]
        asked = {"text": filters.text, "status": status, "kind": kind}
        older = _query(cursor=found.older, **asked) if found.older else ""
        choices = {"statuses": articles.statuses(), "kinds": kinds}
        return super().get_context_data(rows=listed, older=older, **choices, **asked, **kwargs)


def _query(**parameters: str) -> str:
    """The query string of the parameters that are set, quoted as templates quote."""
    return urlencode({name: value for name, value in parameters.items() if value}, safe="/", quote_via=quote)


class TimelinePage(ArticlePage):
    """What happened to an article, newest first."""

    title = "Timeline"
    template_name = "audittrail/timeline.html"

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        filters = Filters.from_query(self.request.GET)
        before, after = sequence_parameter(self.request, "before"), sequence_parameter(self.request, "after")
        shown = page(self.article_id, self.newest, filters, before=before, after=after)
        present = [event.sequence for event in shown.events]
        missing = [] if filters else gaps(self.article_id, present, shown.lowest, shown.highest)
        days = view_models.timeline_rows(self.article_id, shown.events, missing)
        return super().get_context_data(page=shown, days=days, filters=filters, **self._surroundings(filters), **kwargs)

    def _surroundings(self, filters: Filters) -> TemplateContext:
        return {
            "overview": self.overview,
            "status": as_words(self.overview.status or "current"),
            "newest": self.newest,
            "histogram": draw_histogram(self.overview.bars, filters.since, filters.until),
            "fields": tracked_fields(self.overview.kind),
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

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        event = self.event(self.kwargs["sequence"])
        row = view_models.event_row(event)
        _, before = next(states_before(self.article_id, event.sequence, event.sequence))
        changes = [formatter_of(event, record, before) for record in event.changes]
        problem = (
            "their content lies in object storage and was not brought here"
            if is_reference(database_rows.event_of(event))
            else ""
        )
        inline = self.request.GET.get("view") == "inline"
        return super().get_context_data(
            event=event, row=row, changes=changes, problem=problem, inline=inline, newest=self.newest, **kwargs
        )


def new_events(request: HttpRequest, article_id: str) -> JsonResponse:
    """What the timeline asks every few seconds: how many events came after the one it shows, and how fresh all is."""
    newest = newest_sequence(article_id)
    last = (
        AuditEvent.objects.filter(article_id=article_id, sequence=newest).values_list("recorded_at", flat=True).first()
    )
    complete_to, lag = current_to(article_id, newest, last), search_lag()
    return JsonResponse(
        {
            "new": max(0, newest - (sequence_parameter(request, "seen") or 0)),
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


def export_file(request: HttpRequest, article_id: str, form: str) -> StreamingHttpResponse:
    """The events of a timeline, those its filters let through, oldest first, as `jsonl` or `csv`."""
    return export.response(article_id, Filters.from_query(request.GET), form)


def to_event(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """An event by its identity alone leads to its page."""
    readable = access.readable(request.user, AuditEvent.objects.all())
    found = readable.filter(pk=event_id).values_list("article_id", "sequence").first()
    if found is None:
        raise Http404(f"There is no event {event_id} in the database.")
    return redirect(reverse("admin:audittrail_event", args=found))
