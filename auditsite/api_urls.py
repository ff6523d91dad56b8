"""The programming interface: the trail, its consumers, and the OpenAPI document of both."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authentication import SessionAuthentication

BROWSER = (SessionAuthentication,)
"""A page asks who is logged in while it is drawn, when it is too late to refuse other credentials."""

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("audittrail.web.api_urls")),
    path("", include("consumers.api.urls")),
    path("", SpectacularSwaggerView.as_view(url_name="schema", authentication_classes=BROWSER), name="api"),
]
