"""What Celery's beat shall do for the newsroom by itself, for a site's CELERY_BEAT_SCHEDULE."""

BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "publish-due-articles": {
        "task": "newsroom.tasks.publish_due_articles",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    }
}
