"""Events that violate the contract: why, what would correct them, and their release into their own place.

A release clears the mark in the outbox; the relay then publishes the event late, and readers place it by its sequence.
What was captured stays in the outbox row, hash and all: amendments are kept next to it, and made and marked on
publication.
"""

import logging
from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, transaction

from audittrail.capture import outbox_rows
from audittrail.capture.outbox_rows import OutboxRow, captured_event
from audittrail.contracts.amendments import Amendment, BadAmendment, proposed
from audittrail.models import OutboxEvent
from audittrail.outbox import OutboxQuerySet
from consumers.models import ControlAction, SetAsideEvent
from consumers.relay.messages import problem_of, violation
from consumers.relay.wake import wake_soon

log = logging.getLogger(__name__)

DATABASE = "pipeline"
_SHOWN = ("article_id", "sequence", "recorded_at", "operation", "title", "set_aside")


class NotReleased(ValueError):
    """The event stays where it is; the text says why."""


def waiting() -> OutboxQuerySet:
    """All events set aside, oldest first, without what they hold: that may be what cannot be read."""
    return SetAsideEvent.objects.set_aside().order_by("id").only(*_SHOWN)


def problem(event: OutboxEvent, amendments: Sequence[Amendment]) -> str:
    """What would still be wrong with these amendments made; empty when it can be published."""
    return problem_of(_row(event), amendments)


def proposals(event: OutboxEvent) -> list[Amendment]:
    """Amendments that would correct it, as far as that is known; none where nothing is wrong any more."""
    try:
        return proposed(captured_event(_row(event)), violation)
    # Whatever the row holds: nothing is known that would help.
    except Exception:
        log.info("nothing can be proposed for %s", event, exc_info=True)
        return []


def release(event: OutboxEvent, amendments: Sequence[Amendment], user: AbstractBaseUser | AnonymousUser) -> None:
    """Let the relay publish it, amended or, without amendments, as it was captured. Raises NotReleased."""
    if found := problem(event, amendments):
        raise NotReleased(found)
    with transaction.atomic(using=DATABASE):
        if not OutboxEvent.objects.using(DATABASE).filter(pk=event.pk).release(amendments):
            raise NotReleased("somebody else has released it")
        detail = f"{event.article_id} #{event.sequence} released" + "".join(
            f"; {each['field']} amended: {each['reason']}" for each in amendments
        )
        ControlAction.objects.using(DATABASE).create(stage="relay", action="release", detail=detail, user_id=user.pk)
    wake_soon()


def _row(event: OutboxEvent) -> OutboxRow:
    with connection.cursor() as cursor:
        (row,) = outbox_rows.read(cursor, [event.pk])
    return row


def checked(amendments: object) -> list[Amendment]:
    """Amendments as somebody wrote them, or BadAmendment."""
    if not isinstance(amendments, list):
        raise BadAmendment("amendments: write a list of objects with field, value and reason")
    for each in amendments:
        if (
            not isinstance(each, dict)
            or each.keys() != {"field", "value", "reason"}
            or not all(isinstance(each[name], str) and each[name] for name in ("field", "reason"))
        ):
            raise BadAmendment(f"{each!r}: an amendment has field, value and reason, nothing else")
    return amendments
