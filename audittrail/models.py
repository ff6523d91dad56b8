"""The tables of the audit trail.

Capture (owner only): Head, OutboxEvent, ActorVersion.  At rest (added by the pipeline, never changed): AuditEvent,
Fork. The site's role reads all of them and writes none; see capture/rights.py.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

from audittrail import outbox

if TYPE_CHECKING:
    _Text = models.TextField[str | Combinable, str]
    _NullableText = models.TextField[str | Combinable | None, str | None]
    _Time = models.DateTimeField[str | datetime | date | Combinable, datetime]
    NullableTime = models.DateTimeField[str | datetime | date | Combinable | None, datetime | None]
else:
    _Text, _Time = models.TextField, models.DateTimeField


class Key(_Text):
    """A text compared byte by byte, so that every process and every tool sorts it alike."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.setdefault("db_collation", "C")
        super().__init__(*args, **kwargs)


FIRST_READABLE = datetime(1, 1, 2, tzinfo=UTC)
LAST_READABLE = datetime(9999, 12, 30, tzinfo=UTC)


def readable(column: str) -> str:
    """SQL: a column of times as far as Python, in every time zone, can hold them.

    A time before or after is read as the first or the last of these, which the contract refuses: else it would make
    those read with it fail.
    """
    first, last = (f"timestamptz '{bound.isoformat()}'" for bound in (FIRST_READABLE, LAST_READABLE))
    return f"CASE WHEN {column} < {first} THEN {first} WHEN {column} > {last} THEN {last} ELSE {column} END"


class Moment(_Time):
    """A time that can be read whatever its column holds: see `readable`."""

    def select_format(
        self, compiler: SQLCompiler, sql: str, params: Sequence[Any]
    ) -> tuple[str, tuple[str | int, ...]]:
        return readable(sql), tuple(params) * 3

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, positional, named = super().deconstruct()
        return name, "django.db.models.DateTimeField", positional, named


class Head(models.Model):
    """The last captured state of an article: what the next change is compared with and chained to.  No long texts."""

    article_id = Key(primary_key=True)
    kind = Key()
    object_pk = models.TextField()
    sequence = models.BigIntegerField()
    alive = models.BooleanField()
    keyframe_due = models.BooleanField(default=False, help_text="The next event carries the whole article.")
    scalars = models.JSONField(default=dict, help_text="Field → canonical text or null.")
    relations = models.JSONField(default=dict, help_text="Field → identities in order.")
    text_hashes = models.JSONField(default=dict, help_text="Field → SHA-256 of the text, hex; null where it is null.")
    leaves = models.JSONField(
        default=dict, help_text="Field → its entry in the state digest: name and salted leaf, hex."
    )
    labels = models.JSONField(default=dict, help_text="Field → identity → name, as last seen.")
    state_digest = models.BinaryField()
    hash = models.BinaryField()
    event_id = models.UUIDField()
    recorded_at = Moment()


class EventBase(models.Model):
    """What an event is from the moment of its capture, wherever it is stored."""

    event_id = models.UUIDField()
    article_id = Key()
    kind = Key()
    sequence = models.BigIntegerField()
    operation = models.TextField()
    title = models.TextField()
    status = models.TextField(null=True)
    occurred_at = Moment()
    recorded_at = Moment()
    actor_type = models.TextField()
    actor_id: "_NullableText" = Key(null=True)  # type: ignore[assignment, misc]  # a Key that may be null
    actor_version = models.IntegerField(null=True)
    context = models.JSONField(default=dict)
    changes = models.JSONField(default=list)
    labels = models.JSONField(default=dict)
    salt = models.BinaryField()
    state_digest = models.BinaryField()
    previous_hash = models.BinaryField()
    hash = models.BinaryField()
    amendments = models.JSONField(
        default=list,
        db_default=[],
        help_text="What was changed before publication, as the event violated the contract: field, reason; "
        "in the outbox also value.",
    )

    class Meta:
        abstract = True


class OutboxEvent(EventBase):
    """An event as captured, waiting for the relay; kept until database and archive have passed it, a week at least."""

    id = models.BigAutoField(primary_key=True)
    slot = models.SmallIntegerField(help_text="Hash of the article, 0…1023: its relay lane is slot modulo lanes.")
    actor_snapshot = models.JSONField(null=True, help_text="Author metadata sent along by an outside CMS.")
    keyframe = models.BooleanField()
    scalars = models.JSONField(null=True, help_text="Whole state, on keyframes only.")
    relations = models.JSONField(null=True, help_text="Whole state, on keyframes only.")
    text_fields = ArrayField(models.TextField(), default=list)
    texts_before = ArrayField(models.TextField(null=True), default=list)
    texts_after = ArrayField(models.TextField(null=True), default=list)
    published_at: "NullableTime" = Moment(null=True)  # type: ignore[assignment, misc]  # a Moment that may be null
    set_aside = models.TextField(null=True, help_text="Why this event violates the contract; null where it does not.")

    objects = outbox.OutboxQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["article_id", "sequence"], name="outbox_article_sequence")]
        indexes = [
            models.Index(fields=["id", "slot"], name="outbox_pending", condition=outbox.IS_PENDING),
            models.Index(fields=["id"], name="outbox_set_aside", condition=outbox.IS_SET_ASIDE),
            BrinIndex(fields=["recorded_at"], name="outbox_recorded_at"),
        ]


class ActorVersion(models.Model):
    """An author as of a moment.  Versions are appended, never changed, so a cache of them never expires."""

    pk = models.CompositePrimaryKey("actor_id", "version")
    actor_id = Key()
    version = models.IntegerField()
    name = models.TextField()
    byline = models.TextField()
    role = models.TextField()
    desk = models.TextField()
    recorded_at = Moment()


class AuditEvent(EventBase):
    """An enriched event at rest: one row for each article and sequence."""

    event_id = models.UUIDField(primary_key=True)
    action = models.TextField()
    actor_name = models.TextField(default="")
    actor_byline = models.TextField(default="")
    actor_role = models.TextField(default="")
    actor_desk = models.TextField(default="")
    keyframe = models.JSONField(null=True, help_text="The whole article after the event: values and relations.")
    words_added = models.IntegerField(default=0)
    words_removed = models.IntegerField(default=0)
    payload = models.JSONField(
        null=True, help_text="Where the content of a large event lies: sha256 (hex) and size in bytes."
    )
    schema_version = models.IntegerField()
    stored_at = Moment(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["article_id", "sequence"], name="event_article_sequence")]
        indexes = [
            models.Index(F("recorded_at").desc(), F("event_id").desc(), name="event_newest"),
            models.Index(fields=["actor_id", "-recorded_at"], name="event_actor"),
            models.Index(
                fields=["article_id", "sequence"], name="event_keyframes", condition=Q(keyframe__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} #{self.sequence}"


class Fork(models.Model):
    """A second event claiming an article and sequence already taken, with another hash: evidence, kept as it came."""

    id = models.BigAutoField(primary_key=True)
    article_id = Key()
    sequence = models.BigIntegerField()
    known_hash = models.BinaryField()
    other_hash = models.BinaryField()
    other_event = models.JSONField(help_text="The refused event.")
    found_in = models.TextField(help_text="The store that found it: database, search or archive.")
    found_at = Moment(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["article_id", "sequence", "other_hash", "found_in"], name="fork_once")
        ]


class VerifiedHead(models.Model):
    """Up to where an article's trail was found complete and sound, and when: a later trail must still hold this."""

    article_id = Key(primary_key=True)
    sequence = models.BigIntegerField()
    hash = models.BinaryField()
    verified_at = Moment()
