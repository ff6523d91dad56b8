"""Questions to the search index: the search box, its histogram, and how fresh the index is."""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.utils import timezone

from audittrail.events.times import EPOCH
from audittrail.search import index
from audittrail.search.index import Document, IndexQuery, SearchUnavailable
from audittrail.search.query_language import Period, Query, Term, parse

__all__ = [
    "BadCursor",
    "Bucket",
    "Histogram",
    "Hit",
    "ResultPage",
    "SearchUnavailable",
    "freshness",
    "histogram",
    "search",
]

TOTAL_BOUND = 10_000
PAGE_LIMIT = 100

_ANYWHERE = ["title", "inserted", "removed", "before", "after", "labels", "actor.name", "actor.byline"]
_TEXTS = {"title": "title", "inserted": "inserted", "removed": "removed", "from": "before", "to": "after"}
_WORDS = {
    "action": "action",
    "kind": "kind",
    "status": "status",
    "section": "section",
    "field": "fields_changed",
    "channel": "channel",
    "desk": "actor.desk",
    "role": "actor.role",
    "ip": "ip",
    "request": "request_id",
    "correlation": "correlation_id",
}
_NEWEST = [{"occurred_at": "desc"}, {"article_id": "asc"}, {"sequence": "desc"}]
_NEWEST_OF_ARTICLE = [{"sequence": "desc"}]
_HIGHLIGHT = {
    "encoder": "html",
    "pre_tags": ["<mark>"],
    "post_tags": ["</mark>"],
    "number_of_fragments": 3,
    "fragment_size": 160,
    "fields": {name: {} for name in _ANYWHERE},
}


class BadCursor(ValueError):
    """A page cursor that this search did not give out."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An event found. `document`: as in documents.source, without its long texts; `highlights`: field → passages, safe
    HTML in which `<mark>` holds what was searched for.
    """

    article_id: str
    sequence: int
    document: Document
    highlights: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """A page of events, newest first. `total`: exact, or at least that many if `total_is_bound`; `took`: seconds in
    Elasticsearch; `next_cursor`: for the page after, None on the last; `messages`: what of the query was left out, and
    why.
    """

    hits: list[Hit]
    next_cursor: str | None
    total: int
    total_is_bound: bool
    took: float
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    start: datetime
    events: int
    publications: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Events over time. `interval`: hour, day, week, month or quarter, that of each bucket; empty buckets are
    included.
    """

    interval: str
    buckets: list[Bucket]


def search(
    query: str = "",
    after: str | None = None,
    size: int = 25,
    article_id: str | None = None,
    *,
    without_kinds: Collection[str] = (),
) -> ResultPage:
    """Events that match a query of the search box (see audittrail.search.query_language), newest first; those of one
    article by its sequence.

    `after`: next_cursor of the page before; `size`: 1 to 100; `without_kinds`: kinds of articles left out. Raises
    SearchUnavailable, BadCursor.
    """
    parsed, order = parse(query), _NEWEST_OF_ARTICLE if article_id else _NEWEST
    size = max(1, min(size, PAGE_LIMIT))
    answer = index.search(
        query=_filter(parsed, article_id, without_kinds),
        sort=order,
        search_after=_position(after, len(order)) if after else None,
        size=size + 1,
        track_total_hits=TOTAL_BOUND,
        highlight=_HIGHLIGHT,
        source_excludes=["inserted", "removed", "before", "after"],
    )
    found, total = answer["hits"]["hits"], answer["hits"]["total"]
    return ResultPage(
        hits=[_hit(item) for item in found[:size]],
        next_cursor=_cursor(found[size - 1]["sort"]) if len(found) > size else None,
        total=total["value"],
        total_is_bound=total["relation"] == "gte",
        took=answer["took"] / 1000,
        messages=parsed.messages,
    )


def histogram(query: str = "", article_id: str | None = None, *, without_kinds: Collection[str] = ()) -> Histogram:
    """Events over time that match a query, publications counted apart, without some kinds of articles. Raises
    SearchUnavailable.
    """
    matching = _filter(parse(query), article_id, without_kinds)
    span = _aggregated(
        matching, {"first": {"min": {"field": "occurred_at"}}, "last": {"max": {"field": "occurred_at"}}}
    )
    if span["first"]["value"] is None:
        return Histogram("day", [])
    interval = _interval(timedelta(milliseconds=span["last"]["value"] - span["first"]["value"]))
    zone = timezone.get_current_timezone_name()
    bars = {"field": "occurred_at", "calendar_interval": interval, "time_zone": zone, "min_doc_count": 0}
    publications = {"publications": {"filter": {"term": {"action": "published"}}}}
    answer = _aggregated(matching, {"bars": {"date_histogram": bars, "aggs": publications}})
    return Histogram(interval, [_bucket(bar) for bar in answer["bars"]["buckets"]])


def freshness() -> datetime | None:
    """When the newest event that can be found was recorded; None in an empty index. Raises SearchUnavailable."""
    newest = _aggregated({"match_all": {}}, {"newest": {"max": {"field": "recorded_at"}}})["newest"]["value"]
    return None if newest is None else _moment(newest)


def _aggregated(query: IndexQuery, aggregations: dict[str, Any]) -> dict[str, Any]:
    answer = index.search(query=query, aggregations=aggregations, size=0, track_total_hits=False)
    aggregated: dict[str, Any] = answer["aggregations"]
    return aggregated


def _interval(span: timedelta) -> str:
    """The finest of these that gives at most about a hundred bars (quarters: whatever it takes)."""
    for interval, limit in (("hour", 4), ("day", 100), ("week", 700), ("month", 3000)):
        if span <= timedelta(days=limit):
            return interval
    return "quarter"


def _bucket(bar: dict[str, Any]) -> Bucket:
    return Bucket(_moment(bar["key"]), bar["doc_count"], bar["publications"]["doc_count"])


def _moment(milliseconds: float) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _hit(item: dict[str, Any]) -> Hit:
    document = item["_source"]
    return Hit(document["article_id"], document["sequence"], document, item.get("highlight", {}))


def _cursor(position: list[int | str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def _position(cursor: str, length: int) -> list[int | str]:
    kinds = {1: (int,), 3: (int, str, int)}[length]
    try:
        position: list[int | str] = orjson.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if [type(part) for part in position] != list(kinds) or not all(
            -(2**63) <= part < 2**63 for part in position if type(part) is int
        ):
            raise ValueError(cursor)
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor("This is not a cursor of this search: leave it out to start at the newest event.") from None
    return position


def _filter(query: Query, article_id: str | None, without_kinds: Collection[str]) -> IndexQuery:
    conditions = [(_term(term), term.negated) for term in query.terms] + [
        (_range(period), period.negated) for period in query.periods
    ]
    wanted = [condition for condition, negated in conditions if not negated]
    if article_id:
        wanted.append({"term": {"article_id": article_id}})
    unwanted = [condition for condition, negated in conditions if negated]
    if without_kinds:
        unwanted.append({"terms": {"kind": sorted(without_kinds)}})
    return {"bool": {"filter": wanted, "must_not": unwanted}}


def _range(period: Period) -> IndexQuery:
    bounds = {"gte": period.start, "lt": period.end}
    return {"range": {"occurred_at": {bound: moment.isoformat() for bound, moment in bounds.items() if moment}}}


def _term(term: Term) -> IndexQuery:
    if term.field in _WORDS:
        return _word(_WORDS[term.field], term)
    if term.field == "actor":
        return _any(_phrase(["actor.name", "actor.byline"], term), _word("actor.id", term))
    if term.field == "article":
        return _any(_word("article_id", term), _word("article_key", term), _phrase(["title"], term))
    return _phrase([_TEXTS[term.field]] if term.field else _ANYWHERE, term)


def _any(*queries: IndexQuery) -> IndexQuery:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


def _word(field: str, term: Term) -> IndexQuery:
    return {"prefix" if term.prefix else "term": {field: term.value}}


def _phrase(fields: list[str], term: Term) -> IndexQuery:
    return {
        "multi_match": {"query": term.value, "fields": fields, "type": "phrase_prefix" if term.prefix else "phrase"}
    }
