"""A new search index next to the one in use, filled from the database or the archive, then put in its place.

Searches see no gap: the alias moves in one step. Writers do not either: what they add meanwhile goes to the old index
and is carried over; for the last of it the old index refuses writes, about a second, in which the search sink waits and
then finds the new one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from audittrail import conf
from audittrail.events.event import EnrichedEvent
from audittrail.search import documents, index
from audittrail.search.documents import IndexedDocument
from audittrail.search.index import Fate, IndexQuery

BATCH = 2000
CATCHING_UP = timedelta(hours=1)
"""What was indexed so shortly before the start may not yet be in the source: it is carried over too."""

LAST_SEARCHES = timedelta(seconds=2)
"""How long the old index outlives the swap."""

_PASSES = 20
_SMALL = 500
_EVERYTHING: IndexQuery = {"match_all": {}}


class NotTheSame(Exception):
    """The new index would lack documents that the old one has; the text names some. The old one stays in use."""


@dataclass
class Summary:
    """`filled` from the source, `carried` over from the old index, `refused` (document id: why), `others`: dropped with
    the old index.
    """

    old: str
    new: str
    filled: int = 0
    carried: int = 0
    refused: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def rebuild(
    events: Iterable[EnrichedEvent], drop_others: bool = False, progress: Callable[[int], None] = lambda count: None
) -> Summary:
    """Replace the index by one made of these events, best in order of article and sequence. Not to be run twice at a
    time.

    `drop_others`: also when the old index has documents that `events` does not. `progress` gets the number of events of
    each step. Raises NotTheSame and SearchUnavailable, the old index then being in use as before.
    """
    index.ensure_index()
    summary = _begin()
    try:
        _fill_without_a_gap(summary, events, drop_others, progress)
    except BaseException:
        _abandon(summary)
        raise
    _drop_later(summary.old)
    return summary


def _fill_without_a_gap(
    summary: Summary, events: Iterable[EnrichedEvent], drop_others: bool, progress: Callable[[int], None]
) -> None:
    mark = index.newest_write(summary.old)
    since = datetime.now(UTC) - CATCHING_UP
    _fill(summary, events, progress)
    mark = _carry_over(summary, {"bool": {"should": [_indexed_since(since), _written_after(mark)]}})
    mark = _catch_up(summary, mark)
    # Before the block: it reads all of the old index.
    absent = _absent(summary)
    index.block_writes(summary.old)
    _carry_over(summary, _written_after(mark))
    _check(summary, absent, drop_others)
    index.move_alias(summary.old, summary.new)


def _begin() -> Summary:
    """A new, empty index; what an interrupted rebuild has left behind is cleared away."""
    old = index.current()
    for name in index.names():
        if name != old:
            index.drop(name)
    index.allow_writes(old)
    number = int(old.rpartition("-")[2]) + 1
    new = f"{conf.search_index()}-{number:06d}"
    index.create(new)
    return Summary(old, new)


def _fill(summary: Summary, events: Iterable[EnrichedEvent], progress: Callable[[int], None]) -> None:
    stream = _documents(events)
    while some := list(islice(stream, BATCH)):
        summary.filled += _write(summary, some)
        progress(len(some))


def _documents(events: Iterable[EnrichedEvent]) -> Iterator[IndexedDocument]:
    """Documents with the section carried from each article's event before."""
    known: dict[str, tuple[int, list[str] | None]] = {}
    for event in events:
        article, sequence = event["article_id"], event["sequence"]
        before, section = known.get(article, (0, None))
        document = documents.source(event, section if before < sequence else None)
        if before < sequence:
            known[article] = sequence, document["section"]
        yield documents.indexed_now(document)


def _write(summary: Summary, some: Sequence[Mapping[str, Any]]) -> int:  # Any: JSON
    """Write documents to the new index; how many it did not have."""
    results = index.write(some, summary.new)
    for document, result in zip(some, results, strict=True):
        if result.fate is Fate.REFUSED:
            summary.refused.append(
                f"{documents.document_id(document['article_id'], document['sequence'])}: {result.detail}"
            )
    return sum(result.fate is Fate.CREATED for result in results)


def _catch_up(summary: Summary, mark: int) -> int:
    """Carry over until little is left; the mark after it."""
    for _ in range(_PASSES):
        before = summary.carried
        mark = _carry_over(summary, _written_after(mark))
        if summary.carried - before < _SMALL:
            break
    return mark


def _carry_over(summary: Summary, query: IndexQuery) -> int:
    """Copy what the new index lacks of the old one's documents that match; returns a mark: all writes up to it have
    been seen.
    """
    mark = index.newest_write(summary.old)
    for page in index.scan(query, name=summary.old):
        summary.carried += _write(summary, [found.document for found in page])
    return mark


def _written_after(mark: int) -> IndexQuery:
    return {"range": {"_seq_no": {"gt": mark}}}


def _indexed_since(moment: datetime) -> IndexQuery:
    return {"range": {"indexed_at": {"gte": moment.isoformat()}}}


def _absent(summary: Summary) -> list[str]:
    """Documents of the old index that the new one does not have, or not yet."""
    return [
        name
        for page in index.scan(_EVERYTHING, name=summary.old, with_documents=False)
        for name in index.absent([found.id for found in page], summary.new)
    ]


def _check(summary: Summary, absent: list[str], drop_others: bool) -> None:
    """The new index must hold what was written to it, and everything that the old one has."""
    index.refresh(summary.new)
    held = index.count(summary.new)
    if held != summary.filled + summary.carried:
        raise NotTheSame(f"{summary.new} holds {held} documents instead of {summary.filled + summary.carried}.")
    summary.others = index.absent(absent, summary.new)
    if summary.others and not drop_others:
        some = ", ".join(summary.others[:10])
        raise NotTheSame(
            f"{len(summary.others)} documents of {summary.old} are not in the source: {some}. "
            "See what verify_trail says of them; --drop-others rebuilds without them."
        )


def _drop_later(name: str) -> None:
    """Remove the old index, a while after: a search that was sent to it just before the swap would fail."""
    time.sleep(LAST_SEARCHES.total_seconds())
    index.drop(name)


def _abandon(summary: Summary) -> None:
    """Back to how it was; if Elasticsearch is away, the next rebuild does this."""
    try:
        if index.current() == summary.old:
            index.allow_writes(summary.old)
            index.drop(summary.new)
    except index.SearchUnavailable:
        return
