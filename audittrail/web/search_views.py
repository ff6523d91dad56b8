"""The search page of the trail in the admin."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from audittrail.events.html import marked
from audittrail.search import queries, query_language
from audittrail.timeline import access
from audittrail.timeline.histogram import Histogram, draw_histogram
from audittrail.timeline.overview import Bar
from audittrail.web.pages import TemplateContext, TrailPage
from audittrail.web.wording import as_words


class SearchPage(TrailPage):
    """The one box over all events."""

    title = "Search"
    template_name = "audittrail/search.html"

    def get_context_data(self, **kwargs: object) -> TemplateContext:
        text = self.request.GET.get("q", "")
        found: TemplateContext = {
            "qualifiers": query_language.QUALIFIERS,
            "text": text,
            "histogram_since": urlencode({"q": f"{text} after:"}),
        }
        try:
            hidden = access.hidden_kinds(self.request.user)
            answer = queries.search(text, after=self.request.GET.get("cursor") or None, without_kinds=hidden)
            found |= {
                "answer": answer,
                "hits": [HitRow(hit) for hit in answer.hits],
                "histogram": _histogram(text, hidden),
            }
        except queries.SearchUnavailable as problem:
            found |= {"away": str(problem)}
        return super().get_context_data(**found, **kwargs)


class HitRow:
    """A hit in words; what Elasticsearch marked is sanitised like everything stored."""

    def __init__(self, hit: queries.Hit) -> None:
        document = hit.document
        actor = document.get("actor") or {}
        self.article_id, self.sequence = hit.article_id, hit.sequence
        self.title = document.get("title") or hit.article_id
        self.action = as_words(document.get("action") or "")
        self.actor = actor.get("name") or actor.get("id") or "Someone unknown"
        self.occurred_at = _time(document.get("occurred_at"))
        self.excerpts = [
            (as_words(name.replace(".", " ")), [marked(text) for text in texts])
            for name, texts in hit.highlights.items()
        ]


def _histogram(text: str, hidden: Collection[str]) -> Histogram | None:
    buckets = queries.histogram(text, without_kinds=hidden).buckets
    if not buckets:
        return None
    ends = [bucket.start for bucket in buckets[1:]] + [timezone.now()]
    return draw_histogram(
        [Bar(bucket.start, end, bucket.events, bucket.publications) for bucket, end in zip(buckets, ends, strict=True)]
    )


def _time(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None
