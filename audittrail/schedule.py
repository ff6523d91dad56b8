"""What Celery's beat shall verify by itself, for a site's CELERY_BEAT_SCHEDULE."""

from celery.schedules import crontab

BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "verify-recent": {"task": "audittrail.tasks.verify_recent", "schedule": 300.0, "options": {"expires": 300.0}},
    "verify-all": {"task": "audittrail.tasks.verify_all", "schedule": crontab(hour=3, minute=30)},
}
"""Any Celery application can take it; the times of day are in the application's time zone."""
