"""What the consumers know of themselves: desired and observed state, positions, leases, dead letters, lag."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from audittrail.models import Moment, OutboxEvent
from consumers import conf

if TYPE_CHECKING:
    from audittrail.models import NullableTime


class DesiredState(models.TextChoices):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class ProcessState(models.TextChoices):
    """What a process, or a lane of the relay, says of itself; the worst first."""

    HALTED = "halted"
    WAITING = "waiting"
    STARTING = "starting"
    PAUSED = "paused"
    RUNNING = "running"
    STOPPED = "stopped"

    @classmethod
    def worst(cls, states: Iterable["ProcessState"]) -> "ProcessState":
        """The state of a whole from those of its parts: STOPPED where there are none."""
        return min(states, key=list(cls).index, default=cls.STOPPED)


class StageControl(models.Model):
    """What an admin wants of a stage.  The supervisor makes it so."""

    stage = models.TextField(primary_key=True)
    desired_state = models.TextField(choices=DesiredState.choices, default=DesiredState.RUNNING)
    processes = models.PositiveSmallIntegerField(default=1)
    changed_at = models.DateTimeField(auto_now=True)


class ControlAction(models.Model):
    """Who asked what of a stage, and when; never changed."""

    id = models.BigAutoField(primary_key=True)
    stage = models.TextField()
    action = models.TextField()
    detail = models.TextField(blank=True, default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-id"]


class HaltRelease(models.Model):
    """That a halted partition may go on: its records up to an offset pass, whatever is rejected of them."""

    id = models.BigAutoField(primary_key=True)
    stage = models.TextField(db_index=True)
    topic_id = models.TextField(help_text="Kafka's id of the topic: a topic made anew has other records.")
    partition = models.IntegerField()
    last_offset = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)


class Member(models.Model):
    """One process of a stage, as it reports itself about once a second."""

    id = models.BigAutoField(primary_key=True)
    stage = models.TextField()
    slot = models.PositiveSmallIntegerField()
    host = models.TextField()
    pid = models.IntegerField()
    state = models.TextField(help_text="starting, running, paused, waiting (something is away), halted or stopped.")
    reason = models.TextField(blank=True, default="", help_text="Why it waits or halted.")
    partitions = models.JSONField(default=list)
    processed = models.BigIntegerField(default=0)
    dead_letters = models.BigIntegerField(default=0)
    halts = models.JSONField(default=list, db_default=[], help_text="Partitions it reads no further: Halt.")
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stage", "slot"], name="member_stage_slot")]


class SinkOffset(models.Model):
    """How far the database sink has come, committed with its rows; `token` fences a frozen predecessor."""

    id = models.BigAutoField(primary_key=True)
    group = models.TextField()
    topic_id = models.TextField(help_text="Kafka's id of the topic: a topic made anew starts at 0 again.")
    topic = models.TextField()
    partition = models.IntegerField()
    offset = models.BigIntegerField(help_text="The next offset to read.")
    token = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "topic_id", "partition"], name="sink_offset_once")]


class RelayLane(models.Model):
    """A relay lane: its lease, and the batch it intends to publish or has published."""

    lane = models.PositiveSmallIntegerField(primary_key=True)
    holder = models.TextField(blank=True, default="")
    token = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0, help_text="Number of the last batch known to be in Kafka.")
    intent = models.BigIntegerField(null=True, help_text="Number of the batch under way.")
    rows = models.JSONField(null=True, help_text="Outbox ids of the batch under way.")


class SetAsideEvent(OutboxEvent):
    """Events that violate the contract, for the admin; relay and pruning see them as outbox rows."""

    class Meta:
        proxy = True
        verbose_name = "event set aside"
        verbose_name_plural = "events set aside"

    def __str__(self) -> str:
        return f"{self.article_id} #{self.sequence}"


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """Dead letters by what can be done about them."""

    def waiting(self) -> Self:
        """Letters that were not put back."""
        return self.filter(replayed_at=None)

    def replayable(self) -> Self:
        """Letters that can be put back: rejected by the enricher; each article's in order of sequence.

        What a sink rejected is in the enriched topic, from where other sinks have it already: putting it back would
        double it in the archive. That sink is rebuilt from another store instead.
        """
        found = self.waiting().filter(origin_topic=conf.raw_topic())
        return found.order_by("article_id", "sequence", "origin_partition", "origin_offset")

    def of_article(self, article_id: str, sequences: Collection[int]) -> Self:
        """Letters of some of an article's events."""
        return self.filter(article_id=article_id, sequence__in=sequences)


class DeadLetter(models.Model):
    """What a stage could not process, with its reason, origin and bytes, until it is replayed."""

    id = models.UUIDField(primary_key=True)
    stage = models.TextField()
    reason = models.TextField()
    detail = models.TextField()
    origin_topic = models.TextField()
    origin_partition = models.IntegerField()
    origin_offset = models.BigIntegerField()
    origin_timestamp: "NullableTime" = Moment(null=True)  # type: ignore[assignment, misc]  # a Moment that may be null
    key = models.BinaryField(null=True)
    headers = models.JSONField(default=dict)
    value = models.BinaryField(null=True)
    payload = models.JSONField(null=True, help_text="Where a large value lies: sha256 (hex) and size in bytes.")
    article_id = models.TextField(null=True, help_text="Whose event it is, where that can be told.")
    sequence = models.BigIntegerField(null=True)
    failed_at = Moment()
    replayed_at = models.DateTimeField(null=True)

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        ordering = ["-failed_at"]
        indexes = [
            models.Index(fields=["-failed_at"], name="dead_letter_newest"),
            models.Index(
                fields=["article_id", "sequence"], name="dead_letter_article", condition=Q(article_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} in {self.stage}"

    @property
    def is_replayable(self) -> bool:
        """Whether DeadLetterQuerySet.replayable has it."""
        return self.replayed_at is None and self.origin_topic == conf.raw_topic()


class LagSample(models.Model):
    """How far a group was behind at a moment; null lag means that it was not known."""

    id = models.BigAutoField(primary_key=True)
    stage = models.TextField()
    at = models.DateTimeField(db_index=True)
    lag = models.BigIntegerField(null=True)
    members = models.IntegerField(null=True)
    partitions = models.JSONField(default=dict, db_default={}, help_text="Name → lag and position: lag_rules.Place.")
    problem = models.TextField(default="", db_default="", help_text="Why the lag was not known.")
    verdict = models.TextField(default="", db_default="", help_text="The verdict at that moment: lag_rules.Verdict.")

    class Meta:
        indexes = [models.Index(fields=["stage", "-at"], name="lag_stage_newest")]
