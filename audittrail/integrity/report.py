"""What a verification reports."""

from dataclasses import dataclass, field
from datetime import datetime

from audittrail.integrity.findings import Finding

STORES = ("database", "index", "archive")
"""The stores of the trail; `verify.further_stores` may add others."""


@dataclass
class VerificationReport:
    """What was read, what is on its way, and what is wrong; `complete` when nothing is.

    `events` and `pending`: store → events read, and events not there yet. `set_aside`, `amended`: events of the outbox.
    """

    started_at: datetime
    articles: int = 0
    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STORES, 0))
    pending: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STORES, 0))
    set_aside: int = 0
    amended: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return not self.findings
