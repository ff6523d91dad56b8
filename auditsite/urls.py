"""Where each face of the site lives."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("api/", include("auditsite.api_urls")),
    path("admin/", admin.site.urls),
]
