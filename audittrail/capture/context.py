"""Runs code on somebody's behalf, and what may be asked of capture within."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.dispatch import Signal

from audittrail.capture.acting import Actor, Context, acting, current
from audittrail.capture.stamping import stamp_of
from audittrail.tracking import kind_of

# Sent after the commit of a transaction that ran in a context.
captured = Signal()


@contextmanager
def context(
    *,
    actor: Actor | None = None,
    occurred_at: datetime | None = None,
    using: str = DEFAULT_DB_ALIAS,
    **origin: str | None,
) -> Iterator[Context]:
    """Everything changed inside belongs to this actor and origin; what is not given is taken from the context around
    it.

    Opens a transaction (a savepoint, within one).  origin: request_id, correlation_id, ip, user_agent, channel,
    traceparent.  Raises TypeError for any other name, and TypeError or ValueError, naming the parameter, for a value
    that does not fit.
    """
    outer = current() or Context()
    inner = Context(actor or outer.actor, replace(outer.origin, **origin), occurred_at or outer.occurred_at)
    stamp_of(connections[using])
    with transaction.atomic(using=using), acting(lambda: inner):
        announce_after_commit(using)
        yield inner


def announce_after_commit(using: str = DEFAULT_DB_ALIAS) -> None:
    """Send `captured` when the open transaction has been committed."""
    transaction.on_commit(_announce, using=using)


def record_save(instance: models.Model, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make an event of this save even if it changed nothing (its action is then `saved`).  Call it in a transaction."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit_record_save(%s, %s)", [kind_of(instance), str(instance.pk)])


def fold_now(using: str = DEFAULT_DB_ALIAS) -> None:
    """Append what this transaction has changed so far; in tests of one transaction it stands in for the commit."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit_fold_now()")


def _announce() -> None:
    captured.send_robust(sender=Context)
