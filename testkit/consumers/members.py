"""What processes report of themselves, without any that runs."""

from dataclasses import asdict

from django.utils import timezone

from consumers.models import Member
from consumers.runtime.circuit_breaker import Halt


def report_halt() -> Halt:
    """A process of the enricher that reports a halted partition."""
    halt = Halt("t", "id", 7, 40, 99, 60, 50, "50 messages in a row could not be processed, lately because: x")
    now = timezone.now()
    Member.objects.using("owner").create(
        stage="enricher", slot=1, host="h", pid=1, state="halted", halts=[asdict(halt)], started_at=now, beat_at=now
    )
    return halt
