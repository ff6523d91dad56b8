"""What the pages of the trail in the admin share: the permission, refused addresses, the article they are about."""

from functools import cached_property

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.generic import TemplateView

from audittrail import tracking
from audittrail.admin_base import AdminPage
from audittrail.models import AuditEvent, Head
from audittrail.search import queries
from audittrail.timeline import access, articles
from audittrail.timeline.filters import BadFilter
from audittrail.timeline.overview import Overview, overview
from audittrail.timeline.pages import newest_sequence

TemplateContext = dict[str, object]


class TrailPage(AdminPage, TemplateView):
    """A page that needs the permission to read the trail, and that of the kind of its article; it answers a filter that
    makes no sense with a 400 that says so.
    """

    permission_required = "audittrail.view_auditevent"
    title = "Audit trail"

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        access.require_readable(request.user, kwargs.get("article_id"))
        try:
            return super().get(request, *args, **kwargs)
        except (BadFilter, articles.BadCursor, queries.BadCursor) as problem:
            return self._refused(str(problem))

    def _refused(self, problem: str) -> HttpResponse:
        context = self.model_admin.admin_site.each_context(self.request) | {
            "title": "This address cannot be read",
            "problem": problem,
        }
        return render(self.request, "audittrail/refused.html", context, status=400)


class ArticlePage(TrailPage):
    """A page about one article, ``article_id`` of the URL."""

    @property
    def article_id(self) -> str:
        return str(self.kwargs["article_id"])

    @cached_property
    def newest(self) -> int:
        """The last stored sequence. Raises Http404 for an article that was never captured."""
        newest = newest_sequence(self.article_id)
        if not newest and not Head.objects.filter(pk=self.article_id).exists():
            raise Http404(f"There is no article {self.article_id} in the audit trail.")
        return newest

    @cached_property
    def overview(self) -> Overview:
        return overview(self.article_id, self.newest)

    def event(self, sequence: int) -> AuditEvent:
        """The stored event of a sequence. Raises Http404."""
        event = AuditEvent.objects.filter(article_id=self.article_id, sequence=sequence).first()
        if event is None:
            raise Http404(f"Event {sequence} of {self.article_id} is not in the database.")
        return event

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        return super().get_context_data(zone=timezone.get_current_timezone_name(), **kwargs)


def sequence_parameter(request: HttpRequest, name: str) -> int | None:
    """The sequence in a parameter of the URL, None where it is not given. Raises BadFilter."""
    return sequence_of(name, request.GET[name]) if request.GET.get(name) else None


def sequence_of(parameter: str, raw: str) -> int:
    """The sequence that a parameter's text stands for. Raises BadFilter."""
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 19):
        raise BadFilter(parameter, f"{raw[:40]!r} is not the number of an event.")
    return int(raw)


def tracked_fields(kind: str) -> list[str]:
    """Names of what is tracked of a kind of article, none where only an outside CMS knows it."""
    known = tracking.tracked(kind)
    return list(known.names) if known else []
