"""The list of articles, those changed last first, each with its last stored event."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from audittrail import tracking
from audittrail.models import AuditEvent, Head

PAGE_SIZE = 50
_HEAVY = ("keyframe", "salt", "state_digest", "hash", "previous_hash")


@dataclass(frozen=True, slots=True)
class ArticlePage:
    """The last events of articles, newest first; ``older`` is the cursor of the next page."""

    events: list[AuditEvent]
    older: str | None


class BadCursor(ValueError):
    """A cursor that this list did not give out."""


def articles(text: str = "", status: str = "", cursor: str | None = None, kind: str = "") -> ArticlePage:
    """A page of articles whose title, slug or identity has ``text`` and whose status is ``status``: those of ``kind``,
    or of every kind that is not listed on request only. Raises BadCursor.
    """
    events = _of_kind(kind, _matching(text, status) if text or status else _last_events())
    if cursor:
        events = events.filter(_older_than(cursor))
    found = list(events.order_by("-recorded_at", "-event_id").defer(*_HEAVY)[: PAGE_SIZE + 1])
    more = len(found) > PAGE_SIZE
    found = found[:PAGE_SIZE]
    return ArticlePage(found, _cursor(found[-1]) if more else None)


def statuses() -> list[tuple[str, str]]:
    """The statuses that tracked articles can have, as value and name."""
    fields = [each.field(each.status) for each in tracking.all_tracked() if each.status]
    return list(dict.fromkeys((str(value), str(name)) for field in fields for value, name in field.flatchoices))


def _of_kind(kind: str, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    if kind:
        return events.filter(kind=kind)
    return events.exclude(kind__in=[each.kind for each in tracking.all_tracked() if each.view_permission])


def _last_events() -> QuerySet[AuditEvent]:
    """Walks the index of newest events and leaves out those with a later one in their article: its cost is that of a
    page.
    """
    later = AuditEvent.objects.filter(article_id=OuterRef("article_id"), sequence__gt=OuterRef("sequence"))
    return AuditEvent.objects.filter(~Exists(later))


def _matching(text: str, status: str) -> QuerySet[AuditEvent]:
    """By way of the heads, one row an article: the last stored event of each that matches."""
    last = AuditEvent.objects.filter(article_id=OuterRef("article_id")).order_by("-sequence").values("event_id")[:1]
    heads = Head.objects.filter(_head_condition(text, status))
    return AuditEvent.objects.filter(event_id__in=heads.annotate(last=Subquery(last)).values("last"))


def _head_condition(text: str, status: str) -> Q:
    condition = Q(article_id__icontains=text) if text else Q()
    for tracked in tracking.all_tracked() if text else ():
        for name in {tracked.title, "slug"} & set(tracked.fields):
            condition |= Q(kind=tracked.kind, **{f"scalars__{name}__icontains": text})
    return condition & _has_status(status) if status else condition


def _has_status(status: str) -> Q:
    condition = Q(scalars__status=status)
    for tracked in tracking.all_tracked():
        if tracked.status:
            condition |= Q(kind=tracked.kind, **{f"scalars__{tracked.status}": status})
    return condition


def _cursor(event: AuditEvent) -> str:
    return f"{event.recorded_at.isoformat()}_{event.event_id}"


def _older_than(cursor: str) -> Q:
    try:
        moment, _, identity = cursor.partition("_")
        recorded_at, event_id = datetime.fromisoformat(moment), UUID(identity)
        if recorded_at.tzinfo is None:
            raise ValueError(moment)
    except ValueError:
        raise BadCursor("cursor: this is not one of this list; leave it out to start at the newest article.") from None
    # The first condition is implied by the second; it is the one that an index can start from.
    return Q(recorded_at__lte=recorded_at) & (Q(recorded_at__lt=recorded_at) | Q(event_id__lt=event_id))
