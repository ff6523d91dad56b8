"""What an article's newest events amount to: who took part, when it was busy, which version readers see."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from audittrail import tracking
from audittrail.models import AuditEvent
from audittrail.timeline.pages import WINDOW

BARS = 48
_COLUMNS = (
    "sequence",
    "occurred_at",
    "recorded_at",
    "operation",
    "action",
    "actor_id",
    "actor_name",
    "status",
    "title",
    "kind",
)


@dataclass(frozen=True, slots=True)
class Bar:
    """Events of [start, end), and how many of them were publications."""

    start: datetime
    end: datetime
    events: int
    publications: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Over the newest ``WINDOW`` events.  ``live``: the last version whose status was a published one, None if there
    was none; ``is_live``: whether it still is; ``publication``: the version that was last published.
    """

    people: dict[str, str]
    actions: list[str]
    bars: list[Bar]
    live: int | None
    is_live: bool
    publication: int | None
    title: str
    kind: str
    status: str | None
    last_recorded_at: datetime | None


def overview(article_id: str, newest: int) -> Overview:
    """One query of small columns over at most ``WINDOW`` events; ``newest`` is the last stored sequence."""
    events = AuditEvent.objects.filter(article_id=article_id, sequence__gt=newest - WINDOW).order_by("-sequence")
    rows = list(events.values_list(*_COLUMNS, named=True))
    public = _public_states(rows[0].kind) if rows else frozenset()
    live = next((row.sequence for row in rows if row.status in public and row.operation != "delete"), None)
    return Overview(
        people={row.actor_id or "": row.actor_name or row.actor_id or "" for row in reversed(rows) if row.actor_id},
        actions=sorted({row.action for row in rows}),
        bars=bars([(row.occurred_at, row.action == "published") for row in rows]),
        live=live,
        is_live=live is not None and live == newest,
        publication=next((row.sequence for row in rows if row.action == "published"), None),
        title=rows[0].title if rows else "",
        kind=rows[0].kind if rows else "",
        status=rows[0].status if rows else None,
        last_recorded_at=rows[0].recorded_at if rows else None,
    )


def bars(times: list[tuple[datetime, bool]], count: int = BARS) -> list[Bar]:
    """Times of events, each a publication or not, as ``count`` bars of equal length; no bars for no times."""
    if not times:
        return []
    first, last = min(time for time, _ in times), max(time for time, _ in times)
    width = max((last - first) / count, timedelta(seconds=1)) + timedelta(microseconds=1)
    events, publications = [0] * count, [0] * count
    for time, published in times:
        place = min(int((time - first) / width), count - 1)
        events[place] += 1
        publications[place] += published
    return [Bar(first + i * width, first + (i + 1) * width, events[i], publications[i]) for i in range(count)]


def _public_states(kind: str) -> frozenset[str]:
    known = tracking.tracked(kind)
    return known.published if known else frozenset({"published"})
