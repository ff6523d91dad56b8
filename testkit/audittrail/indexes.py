"""Search indexes of a test's own, and events to put into them."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from audittrail import conf
from audittrail.events.event import EnrichedEvent
from audittrail.search import index
from testkit.audittrail.events import enriched_event

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(article: int, sequence: int, **values: Any) -> EnrichedEvent:
    """Event `sequence` of an article, that many hours into the year."""
    at = START + timedelta(hours=sequence)
    own_hash = hashlib.sha256(f"{article}:{sequence}".encode()).digest()
    identity: dict[str, Any] = {
        "event_id": uuid.uuid4(),
        "article_id": f"newsroom.article:{article}",
        "sequence": sequence,
        "hash": own_hash,
    }
    identity["previous_hash"] = bytes(32) if sequence == 1 else bytes([2]) * 32
    return enriched_event(**{"occurred_at": at, "recorded_at": at, **identity, **values})


def names() -> list[str]:
    """All indexes of the trail in use."""
    return sorted(index.client().indices.get(index=f"{conf.search_index()}-*", features="aliases"))


def drop() -> None:
    for name in names():
        index.client().indices.delete(index=name)


def ids() -> list[str]:
    """Every document that can be found, once refreshed."""
    index.client().indices.refresh(index=conf.search_index())
    hits = index.client().search(index=conf.search_index(), size=10_000, source=False)["hits"]["hits"]
    return sorted(hit["_id"] for hit in hits)
