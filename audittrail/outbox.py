"""The outbox: in which state its rows are, and every change of state.

A row is *pending* until the relay has published it, *set aside* while it violates the contract, and *published* after
that; a row set aside is not published. It is *re-armed* when it is to be published again, *released* when a row set
aside becomes pending, *kept* while something still needs it, and *pruned* after that. Each condition is written here
and nowhere else: as a QuerySet for those who use the ORM, as statements for those who hold a connection of psycopg.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, Q, Value, When

if TYPE_CHECKING:
    from audittrail.models import OutboxEvent  # noqa: F401  named in the base class below

IS_PENDING = Q(published_at=None, set_aside=None)
"""The condition of the partial index outbox_pending."""
IS_SET_ASIDE = Q(set_aside__isnull=False)
"""The condition of the partial index outbox_set_aside."""
IS_UNPUBLISHED = Q(published_at=None)
"""Pending or set aside."""
_PENDING = "published_at IS NULL AND set_aside IS NULL"


class OutboxState(models.TextChoices):
    """Where a row is on its way to Kafka."""

    PENDING = "pending"
    SET_ASIDE = "set_aside"
    PUBLISHED = "published"


STATE = Case(
    When(IS_SET_ASIDE, then=Value(OutboxState.SET_ASIDE)),
    When(IS_UNPUBLISHED, then=Value(OutboxState.PENDING)),
    default=Value(OutboxState.PUBLISHED),
    output_field=models.TextField(),
)
"""A row's OutboxState, to be annotated."""


def is_in_flight(recent: datetime) -> Q:
    """Not published, or only after `recent`: it need not have arrived everywhere."""
    return IS_UNPUBLISHED | Q(published_at__gt=recent)


class OutboxQuerySet(models.QuerySet["OutboxEvent"]):
    """Outbox rows by their state."""

    def pending(self) -> Self:
        """Rows that the relay will publish."""
        return self.filter(IS_PENDING)

    def set_aside(self) -> Self:
        """Rows that violate the contract, until somebody releases them."""
        return self.filter(IS_SET_ASIDE)

    def unpublished(self) -> Self:
        """Rows that are not in Kafka: pending or set aside."""
        return self.filter(IS_UNPUBLISHED)

    def published_after(self, moment: datetime) -> Self:
        """Rows published so recently that they may not have arrived everywhere."""
        return self.filter(published_at__gt=moment)

    def release(self, amendments: Sequence[Mapping[str, object]]) -> int:
        """Let the relay publish what is set aside, with these amendments; how many rows."""
        return self.set_aside().update(set_aside=None, amendments=amendments)


COUNT_PENDING = (
    f"SELECT count(*) FROM (SELECT 1 FROM audittrail_outboxevent WHERE {_PENDING} LIMIT %(limit)s) AS pending"  # noqa: S608  a constant condition
)
"""Number of pending rows; it counts up to `limit`."""

PENDING_OF_LANE = f"""
SELECT id, pg_column_size(texts_before) + pg_column_size(texts_after) + pg_column_size(changes) AS size
FROM audittrail_outboxevent
WHERE {_PENDING} AND slot %% %(lanes)s = %(lane)s
ORDER BY id LIMIT %(limit)s"""  # noqa: S608  a constant condition
"""Id and size in bytes of a lane's pending rows, oldest first. `lanes`: their number; `lane`: from 0.

Sizes are those stored, compressed: reading them does not fetch the texts.
"""

MARK_PUBLISHED = "UPDATE audittrail_outboxevent SET published_at = clock_timestamp() WHERE id = ANY(%(rows)s)"
"""The rows with the ids `rows` are in Kafka."""

SET_ASIDE = "UPDATE audittrail_outboxevent SET set_aside = %(reason)s WHERE id = %(id)s AND published_at IS NULL"
"""The row `id` violates the contract, for a `reason` in words."""

REARM_ALL = "UPDATE audittrail_outboxevent SET published_at = NULL WHERE published_at IS NOT NULL"
"""Everything published is pending again."""

REARM = f"{REARM_ALL} AND article_id = %(article_id)s AND sequence = ANY(%(sequences)s)"
"""Of the events of an article with these `sequences`, those published are pending again."""

PRUNE = """
DELETE FROM audittrail_outboxevent WHERE id IN (
  SELECT o.id FROM audittrail_outboxevent o
  JOIN audittrail_auditevent e ON e.article_id = o.article_id AND e.sequence = o.sequence AND e.hash = o.hash
  WHERE o.amendments = '[]' AND o.published_at < now() - make_interval(days => %(days)s)
  ORDER BY o.id LIMIT %(limit)s)"""
"""Remove up to `limit` rows published more than `days` ago.

Kept are events that ended in the dead letters, which are in no store, and amended ones: of these only the outbox knows
what was captured.
"""
