"""Celery tasks: short, idempotent, and never in the way of an event."""

import logging
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task
from confluent_kafka import KafkaException
from django.core.management import call_command
from django.db import connections
from django.db.models import Min
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from audittrail.env.addresses import without_credentials
from audittrail.models import OutboxEvent
from consumers.dead_letters import replay
from consumers.models import ControlAction, LagSample
from consumers.operations import outbox_retention
from consumers.relay.store import WAKE_CHANNEL
from consumers.supervision import alerts, lag_rules, status

log = logging.getLogger(__name__)

OVERDUE = timedelta(seconds=60)
SAMPLES_KEPT = timedelta(days=2)
PARTITIONS_KEPT = timedelta(hours=1)
"""Partitions are judged by the last minutes; charts show whole stages."""


class QueueAway(Exception):
    """No task can be asked for now; the text may be shown."""


@shared_task
def wake_relay() -> None:
    """Tell every lane that there may be something to publish."""
    with connections["pipeline"].cursor() as cursor:
        cursor.execute(f"NOTIFY {WAKE_CHANNEL}")


@shared_task
def watch_outbox() -> None:
    """Say so when events wait too long to be published, and wake the relay."""
    oldest = OutboxEvent.objects.using("pipeline").pending().aggregate(at=Min("recorded_at"))["at"]
    if oldest is None:
        return
    wake_relay()
    if (age := timezone.now() - oldest) > OVERDUE:
        log.warning(
            "The oldest event in the outbox has waited %.0f s to be published: see manage.py consumer_status",
            age.total_seconds(),
        )


@shared_task
def sample_lag() -> None:
    """Record the lag of every stage, and announce where the verdict on one has changed."""
    at, samples = timezone.now(), status.recent_samples("pipeline")
    found = status.collect("pipeline", samples)
    taken = {
        stage.stage: _sample(at, found.kafka_problem, stage, samples.get(stage.stage, [])) for stage in found.stages
    }
    LagSample.objects.using("pipeline").bulk_create(
        LagSample(stage=stage, **asdict(sample)) for stage, sample in taken.items()
    )
    for stage, sample in taken.items():
        before = samples[stage][-1].verdict if stage in samples else lag_rules.Verdict.UNKNOWN
        alerts.gauge(stage, sample.lag)
        alerts.announce_change(stage, before, sample.verdict, sample.lag, sample.problem)


def _sample(at: datetime, problem: str, stage: status.StageStatus, earlier: list[lag_rules.Sample]) -> lag_rules.Sample:
    """The stage as it is, judged with the samples before."""
    members = None if stage.view.state is None else len(stage.view.members)
    sample = lag_rules.Sample(at, stage.lag, members, stage.view.partitions, problem if stage.lag is None else "")
    return replace(sample, verdict=lag_rules.judge([*earlier, sample], status.limits(), at, stage.situation).verdict)


@shared_task
def replay_dead_letters(ids: list[str], user: int | None) -> None:
    """Put dead letters back, for the admin who asked."""
    result = replay.replay(map(UUID, ids))
    detail = f"{len(result.done)} put back" + (
        f", {len(result.skipped)} not: {next(iter(result.skipped.values()))}" if result.skipped else ""
    )
    ControlAction.objects.using("pipeline").create(stage="dead letters", action="replay", detail=detail, user_id=user)


def ask_for_replay(ids: list[str], user: int | None) -> None:
    """Have dead letters put back, for the admin who asks. Raises QueueAway."""
    try:
        replay_dead_letters.delay(ids, user)
    except BrokerAway as error:
        raise QueueAway(without_credentials(f"Nothing was put back, the task queue is away: {error}")) from error


@shared_task
def prune() -> None:
    """Forget old lag samples, and published outbox rows that database and archive have."""
    samples, now = LagSample.objects.using("pipeline"), timezone.now()
    samples.filter(at__lt=now - SAMPLES_KEPT).delete()
    samples.filter(at__lt=now - PARTITIONS_KEPT).exclude(partitions={}).update(partitions={})
    try:
        removed = outbox_retention.prune()
    except KafkaException as error:
        log.warning("The outbox is not pruned now: Kafka: %s", error.args[0].str())
    else:
        log.info("%d old rows removed from the outbox", removed)


@shared_task
def seal_archive() -> None:
    """Seal the days of the archive that every partition has passed."""
    call_command("seal_archive")
