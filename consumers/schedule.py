"""What Celery's beat shall do for the consumers by itself, for a site's CELERY_BEAT_SCHEDULE."""

from celery.schedules import crontab

from consumers import conf

WATCH_SECONDS = 10.0
PRUNE_SECONDS = 3600.0


def _every(task: str, seconds: float) -> dict[str, dict[str, object]]:
    """A task not started before the next one is due is dropped."""
    return {task: {"task": task, "schedule": seconds, "options": {"expires": seconds}}}


BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    **_every("consumers.tasks.watch_outbox", WATCH_SECONDS),
    **_every("consumers.tasks.sample_lag", conf.lag_sample_seconds()),
    **_every("consumers.tasks.prune", PRUNE_SECONDS),
    "seal-archive": {"task": "consumers.tasks.seal_archive", "schedule": crontab(hour=2, minute=30)},
}
"""Any Celery application can take it; the times of day are in the application's time zone."""
