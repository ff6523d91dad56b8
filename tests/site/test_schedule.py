"""What beat does by itself: every scheduled task exists, under the period and name that it always had."""

import subprocess
import sys

import pytest
from celery.schedules import crontab
from django.conf import settings

from auditsite.celery import app
from testkit.paths import ROOT

SCHEDULE = settings.CELERY_BEAT_SCHEDULE


@pytest.mark.parametrize("entry", SCHEDULE.values(), ids=SCHEDULE)
def test_every_scheduled_task_exists(entry):
    app.loader.import_default_modules()

    assert entry["task"] in app.tasks


def test_periods_are_those_documented():
    periods = {name: (entry["schedule"], entry.get("options")) for name, entry in SCHEDULE.items()}

    assert periods == {
        "publish-due-articles": (15.0, {"expires": 15.0}),
        "verify-recent": (300.0, {"expires": 300.0}),
        "verify-all": (crontab(hour=3, minute=30), None),
        "seal-archive": (crontab(hour=2, minute=30), None),
        "consumers.tasks.watch_outbox": (10.0, {"expires": 10.0}),
        "consumers.tasks.sample_lag": (10.0, {"expires": 10.0}),
        "consumers.tasks.prune": (3600.0, {"expires": 3600.0}),
    }


def test_any_celery_application_can_take_tasks_and_schedule():
    script = """
import sys, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "audittrail", "consumers"],
    AUDIT_DEFAULTS={"ELASTICSEARCH_URL": "http://127.0.0.1:1"},
)
django.setup()
from celery import Celery
from audittrail.schedule import BEAT_SCHEDULE as trail
from consumers.schedule import BEAT_SCHEDULE as consumers
app = Celery("elsewhere", set_as_current=True)
app.conf.beat_schedule = trail | consumers
app.autodiscover_tasks(["audittrail", "consumers"], force=True)
print({entry["task"] for entry in app.conf.beat_schedule.values()} - set(app.tasks), "auditsite" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)

    assert answer.stdout.split("\n")[-2:] == ["set() False", ""], answer.stderr
