"""The programming interface: the trail, its consumers, and the OpenAPI document of both."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("audittrail.web.api_urls")),
    path("", include("consumers.api.urls")),
    path("", SpectacularSwaggerView.as_view(url_name="schema"), name="api"),
]
