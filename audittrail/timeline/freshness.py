"""How far what is shown lags behind what was captured."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from audittrail.models import AuditEvent, Head
from audittrail.search import queries


def current_to(article_id: str, newest: int, last_recorded_at: datetime | None) -> datetime | None:
    """The moment up to which an article's timeline is complete: now, if its last captured event (``newest``) is
    stored.
    """
    captured = Head.objects.filter(pk=article_id).values_list("sequence", flat=True).first()
    return timezone.now() if captured is None or captured <= newest else last_recorded_at


@dataclass(frozen=True, slots=True)
class SearchLag:
    """Seconds by which search is behind the database; None where search is away and ``reason`` says why."""

    seconds: float | None
    reason: str = ""


def search_lag() -> SearchLag:
    """Asks the index; takes as long as that takes, so pages ask for it apart from themselves."""
    stored = AuditEvent.objects.order_by("-recorded_at", "-event_id").values_list("recorded_at", flat=True).first()
    try:
        found = queries.freshness()
    except queries.SearchUnavailable as problem:
        return SearchLag(None, str(problem))
    if stored is None or found is None:
        return SearchLag(0.0 if stored is None else None, "The search index is empty.")
    return SearchLag(max(0.0, round((stored - found).total_seconds(), 1)))
