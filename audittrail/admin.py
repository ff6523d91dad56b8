"""The trail in the admin: its own pages, all of them for reading."""

from functools import wraps

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBadRequest
from django.urls import path
from django.views.decorators.http import require_safe

from audittrail.admin_base import ReadOnlyAdmin
from audittrail.models import AuditEvent
from audittrail.timeline.filters import BadFilter
from audittrail.web import timeline_views as views
from audittrail.web import url_converters  # noqa: F401 - registers <article:…> and <sequence:…>


def _for_readers(view):
    """What TrailPage does for a page: the permission, reading only, and a 400 for an address that makes no sense."""

    @require_safe
    @wraps(view)
    def guarded(request: HttpRequest, *args, **kwargs):
        if not request.user.has_perm("audittrail.view_auditevent"):
            raise PermissionDenied
        try:
            return view(request, *args, **kwargs)
        except BadFilter as problem:
            return HttpResponseBadRequest(str(problem), content_type="text/plain; charset=utf-8")

    return guarded


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """No list and no forms of Django's own: they count and sort whole tables, and nobody edits the trail."""

    def get_urls(self) -> list:
        article = "articles/<article:article_id>"
        return [
            path("", self._page(views.SearchPage), name="audittrail_auditevent_changelist"),
            path("search/", self._page(views.SearchPage), name="audittrail_search"),
            path("articles/", self._page(views.ArticlesPage), name="audittrail_articles"),
            path("events/<uuid:event_id>/", self._view(views.to_event), name="audittrail_auditevent_change"),
            path(f"{article}/timeline/", self._page(views.TimelinePage), name="audittrail_timeline"),
            path(f"{article}/news/", self._view(views.new_events), name="audittrail_news"),
            path(f"{article}/compare/", self._page(views.ComparePage), name="audittrail_compare"),
            path(
                f"{article}/export.jsonl", self._view(views.export), {"form": "jsonl"}, name="audittrail_export_jsonl"
            ),
            path(f"{article}/export.csv", self._view(views.export), {"form": "csv"}, name="audittrail_export_csv"),
            path(f"{article}/events/<sequence:sequence>/", self._page(views.EventPage), name="audittrail_event"),
            path(f"{article}/events/<sequence:sequence>/stored/", self._view(views.stored), name="audittrail_stored"),
            path(f"{article}/versions/<sequence:sequence>/", self._page(views.VersionPage), name="audittrail_version"),
        ]

    def _page(self, page: type[views.TrailPage]):
        return self.admin_site.admin_view(page.as_view(model_admin=self))

    def _view(self, view):
        return self.admin_site.admin_view(_for_readers(view))
