"""The Celery application: short, idempotent control tasks only; consumer loops are processes of their own."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
app = Celery("auditsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
