"""Addresses of the consumers' programming interface."""

from django.urls import path

from consumers import api

urlpatterns = [
    path("consumers/", api.Consumers.as_view(), name="api_consumers"),
    path("consumers/<str:stage>/actions/", api.ConsumerActions.as_view(), name="api_consumer_actions"),
    path("dead-letters/", api.DeadLetters.as_view(), name="api_dead_letters"),
    path("dead-letters/replay/", api.DeadLetterReplay.as_view(), name="api_dead_letter_replay"),
]
