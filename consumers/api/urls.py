"""Addresses of the consumers' programming interface."""

from django.urls import path

from consumers.api import views

urlpatterns = [
    path("consumers/", views.Consumers.as_view(), name="api_consumers"),
    path("consumers/<str:stage>/actions/", views.ConsumerActions.as_view(), name="api_consumer_actions"),
    path("consumers/<str:stage>/releases/", views.HaltReleases.as_view(), name="api_halt_releases"),
    path("dead-letters/", views.DeadLetters.as_view(), name="api_dead_letters"),
    path("dead-letters/replay/", views.DeadLetterReplay.as_view(), name="api_dead_letter_replay"),
]
