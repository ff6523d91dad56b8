"""What the newsroom does by itself."""

from celery import shared_task
from django.utils import timezone

import audittrail
from newsroom import workflow

SCHEDULER = audittrail.Actor("service", "newsroom.scheduler")


@shared_task
def publish_due_articles() -> int:
    """Publish every scheduled article whose time has come, each in a transaction of its own; returns how many."""
    published = 0
    while True:
        with audittrail.context(actor=SCHEDULER, channel="scheduler"):
            if workflow.publish_due(timezone.now()) is None:
                return published
        published += 1
