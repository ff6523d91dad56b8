"""Keeping the outbox small: what it published is removed once it is old, and nothing else depends on it."""

import time

from django.db import connections

from audittrail import outbox
from consumers import conf, stages
from consumers.kafka import clients
from consumers.operations.pipeline_position import PipelinePosition

PATIENCE_SECONDS = 30.0
AT_ONCE = 10_000


def prune() -> int:
    """Remove what was published AUDIT_OUTBOX_DAYS ago and is in database and archive; how many rows. Raises
    KafkaException.

    While the archive is behind nothing is removed: it is tried again an hour later.
    """
    if not is_archived():
        return 0
    removed: int = 0
    with connections["pipeline"].cursor() as cursor:
        while True:
            cursor.execute(outbox.PRUNE, {"days": conf.outbox_days(), "limit": AT_ONCE})
            removed += cursor.rowcount
            if cursor.rowcount < AT_ONCE:
                return removed


def is_archived() -> bool:
    """Whether the archive soon has all that is published by now. Raises KafkaException."""
    position, deadline = PipelinePosition(clients.admin()), time.monotonic() + PATIENCE_SECONDS
    while position.before_sink(stages.ARCHIVE.group) != 0:
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True
