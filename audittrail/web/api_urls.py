"""Addresses of the trail's programming interface."""

from django.urls import path

from audittrail.web import (
    api,
    url_converters,  # noqa: F401 - the latter registers <article:…> and <sequence:…>
)

urlpatterns = [
    path("articles/", api.Articles.as_view(), name="api_articles"),
    path("articles/<article:article_id>/events/", api.ArticleEvents.as_view(), name="api_article_events"),
    path(
        "articles/<article:article_id>/versions/<sequence:sequence>/",
        api.ArticleVersion.as_view(),
        name="api_article_version",
    ),
    path("articles/<article:article_id>/", api.Article.as_view(), name="api_article"),
    path("events/<str:event_id>/", api.Event.as_view(), name="api_event"),
    path("search/", api.Search.as_view(), name="api_search"),
]
