"""The trail in the admin: its own pages, all of them for reading."""

from collections.abc import Callable
from functools import wraps

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from audittrail.admin_base import ReadOnlyAdmin
from audittrail.models import AuditEvent
from audittrail.timeline import access
from audittrail.timeline.filters import BadFilter
from audittrail.web import (
    search_views,
    timeline_views,
    url_converters,  # noqa: F401 - registers <article:…> and <sequence:…>
    version_views,
)
from audittrail.web.pages import TrailPage

View = Callable[..., HttpResponseBase]


def _for_readers(view: View) -> View:
    """What TrailPage does for a page: the permissions, reading only, and a 400 for an address that makes no sense."""

    @require_safe
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.has_perm("audittrail.view_auditevent"):
            raise PermissionDenied
        access.require_readable(request.user, kwargs.get("article_id"))
        try:
            return view(request, *args, **kwargs)
        except BadFilter as problem:
            return HttpResponseBadRequest(str(problem), content_type="text/plain; charset=utf-8")

    return guarded


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """No list and no forms of Django's own: they count and sort whole tables, and the trail is not edited."""

    def get_urls(self) -> list[URLPattern]:
        article = "articles/<article:article_id>"
        event = "<sequence:sequence>"
        return [
            path("", self._page(search_views.SearchPage), name="audittrail_auditevent_changelist"),
            path("search/", self._page(search_views.SearchPage), name="audittrail_search"),
            path("articles/", self._page(timeline_views.ArticlesPage), name="audittrail_articles"),
            path("events/<uuid:event_id>/", self._view(timeline_views.to_event), name="audittrail_auditevent_change"),
            path(f"{article}/timeline/", self._page(timeline_views.TimelinePage), name="audittrail_timeline"),
            path(f"{article}/news/", self._view(timeline_views.new_events), name="audittrail_news"),
            path(f"{article}/compare/", self._page(version_views.ComparePage), name="audittrail_compare"),
            *(self._export(article, form) for form in ("jsonl", "csv")),
            path(f"{article}/events/{event}/", self._page(timeline_views.EventPage), name="audittrail_event"),
            path(f"{article}/events/{event}/stored/", self._view(timeline_views.stored), name="audittrail_stored"),
            path(f"{article}/versions/{event}/", self._page(version_views.VersionPage), name="audittrail_version"),
        ]

    def _export(self, article: str, form: str) -> URLPattern:
        view = self._view(timeline_views.export_file)
        return path(f"{article}/export.{form}", view, {"form": form}, name=f"audittrail_export_{form}")

    def _page(self, page: type[TrailPage]) -> View:
        return self.admin_site.admin_view(page.as_view(model_admin=self))

    def _view(self, view: View) -> View:
        return self.admin_site.admin_view(_for_readers(view))
