from django.apps import AppConfig


class PressConfig(AppConfig):
    name = "tests.stranger.site.press"
    label = "press"
