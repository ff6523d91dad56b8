"""A small CMS: how any Django CMS is plugged into the audit trail."""

from django.apps import AppConfig


class NewsroomConfig(AppConfig):
    name = "newsroom"
    verbose_name = "Newsroom"
