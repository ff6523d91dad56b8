"""A new search index beside the one in use, filled from the database or the archive, then put in its place.

Searches see no gap: the alias moves in one step. Writers do not either: what they add meanwhile goes to the old index
and is carried over; for the last of it the old index refuses writes, about a second, in which the search sink waits and
then finds the new one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from audittrail import conf
from audittrail.search import documents, index
from audittrail.search.index import Fate, available, client

BATCH = 2000
CATCHING_UP = timedelta(hours=1)
"""What was indexed so shortly before the start may not yet be in the source: it is carried over too."""

LAST_SEARCHES = timedelta(seconds=2)
"""How long the old index outlives the swap."""

_PASSES = 20
_SMALL = 500


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
    events: Iterable[dict], drop_others: bool = False, progress: Callable[[int], None] = lambda count: None
) -> Summary:
    """Replace the index by one made of these events, best in order of article and sequence. Not to be run twice at a
    time.

    `drop_others`: also when the old index has documents that `events` does not. `progress` gets the number of events of
    each step. Raises NotTheSame and SearchUnavailable, the old index then being in use as before.
    """
    index.ensure_index()
    summary = _begin()
    try:
        mark = _newest_write(summary.old)
        since = datetime.now(UTC) - CATCHING_UP
        _fill(summary, events, progress)
        mark = _carry_over(summary, {"bool": {"should": [_indexed_since(since), _written_after(mark)]}}, summary.old)
        mark = _catch_up(summary, mark)
        lacking = _lacking(summary)
        _block(summary.old, True)
        _carry_over(summary, _written_after(mark), summary.old)
        _verify(summary, lacking, drop_others)
        _swap(summary)
    except BaseException:
        _abandon(summary)
        raise
    _discard(summary.old)
    return summary


def _begin() -> Summary:
    """A new, empty index; what an interrupted rebuild has left behind is cleared away."""
    old = index.current()
    with available():
        for name in client().indices.get(index=f"{conf.search_index()}-*", features="aliases"):
            if name != old:
                client().indices.delete(index=name)
        _block(old, False)
        number = int(old.rpartition("-")[2]) + 1
        new = f"{conf.search_index()}-{number:06d}"
        index.create(new)
    return Summary(old, new)


def _fill(summary: Summary, events: Iterable[dict], progress: Callable[[int], None]) -> None:
    stream = _documents(events)
    while some := list(islice(stream, BATCH)):
        summary.filled += _write(summary, some)
        progress(len(some))


def _documents(events: Iterable[dict]) -> Iterator[dict]:
    """Documents with the section carried from each article's event before."""
    known: dict[str, tuple[int, list[str] | None]] = {}
    for event in events:
        article, sequence = event["article_id"], event["sequence"]
        before, section = known.get(article, (0, None))
        document = documents.source(event, section if before < sequence else None)
        if before < sequence:
            known[article] = sequence, document["section"]
        yield document | {"indexed_at": documents.now()}


def _write(summary: Summary, some: Sequence[dict]) -> int:
    results = index.write(some, summary.new)
    for document, result in zip(some, results, strict=True):
        if result.fate is Fate.REFUSED:
            summary.refused.append(
                f"{documents.document_id(document['article_id'], document['sequence'])}: {result.detail}"
            )
    return sum(result.fate is Fate.CREATED for result in results)


def _catch_up(summary: Summary, mark: int) -> int:
    for _ in range(_PASSES):
        before = summary.carried
        mark = _carry_over(summary, _written_after(mark), summary.old)
        if summary.carried - before < _SMALL:
            break
    return mark


def _carry_over(summary: Summary, query: dict, source: str) -> int:
    """Copy what the new index lacks of the documents that match; returns a mark: all writes up to it have been seen."""
    mark = _newest_write(source)
    for some in _scan(source, query):
        summary.carried += _write(summary, [hit["_source"] for hit in some])
    return mark


def _scan(name: str, query: dict, with_source: bool = True) -> Iterator[list[dict]]:
    """Everything in an index that matches, a batch at a time, as of now."""
    with available():
        client().indices.refresh(index=name)
        pit = client().open_point_in_time(index=name, keep_alive="5m")["id"]
        after = None
        while True:
            answer = client().search(
                pit={"id": pit, "keep_alive": "5m"},
                query=query,
                sort=["_shard_doc"],
                search_after=after,
                size=BATCH,
                source=with_source,
            )
            if not (hits := answer["hits"]["hits"]):
                break
            yield hits
            pit, after = answer["pit_id"], hits[-1]["sort"]
        client().close_point_in_time(id=pit)


def _newest_write(name: str) -> int:
    """The number of the newest write that every shard has reached. Elasticsearch counts writes; clocks of writers may
    be late.
    """
    with available():
        shards = client().indices.stats(index=name, level="shards", filter_path="indices.*.shards.*.seq_no")["indices"][
            name
        ]["shards"]
    return min(copy["seq_no"]["max_seq_no"] for copies in shards.values() for copy in copies)


def _written_after(mark: int) -> dict:
    return {"range": {"_seq_no": {"gt": mark}}}


def _indexed_since(moment: datetime) -> dict:
    return {"range": {"indexed_at": {"gte": moment.isoformat()}}}


def _lacking(summary: Summary) -> list[str]:
    """Documents of the old index that the new one does not have, or not yet. Before the block: it reads all of the old
    index.
    """
    return [
        name
        for some in _scan(summary.old, {"match_all": {}}, False)
        for name in _missing(summary.new, [hit["_id"] for hit in some])
    ]


def _verify(summary: Summary, lacking: list[str], drop_others: bool) -> None:
    """The new index must hold what was written to it, and everything that the old one has."""
    with available():
        client().indices.refresh(index=summary.new)
        held = client().count(index=summary.new)["count"]
    if held != summary.filled + summary.carried:
        raise NotTheSame(f"{summary.new} holds {held} documents instead of {summary.filled + summary.carried}.")
    summary.others = _missing(summary.new, lacking)
    if summary.others and not drop_others:
        some = ", ".join(summary.others[:10])
        raise NotTheSame(
            f"{len(summary.others)} documents of {summary.old} are not in the source: {some}. "
            "See what verify_trail says of them; --drop-others rebuilds without them."
        )


def _missing(name: str, ids: list[str]) -> list[str]:
    missing = []
    for start in range(0, len(ids), BATCH):
        with available():
            found = client().mget(index=name, ids=ids[start : start + BATCH], source=False)["docs"]
        missing += [document["_id"] for document in found if not document.get("found")]
    return missing


def _swap(summary: Summary) -> None:
    add = {"add": {"index": summary.new, "alias": conf.search_index(), "is_write_index": True}}
    remove = {"remove": {"index": summary.old, "alias": conf.search_index()}}
    with available():
        client().indices.update_aliases(actions=[add, remove])


def _discard(name: str) -> None:
    """Remove the old index, a while after: a search that was sent to it just before the swap would fail."""
    time.sleep(LAST_SEARCHES.total_seconds())
    with available():
        client().indices.delete(index=name, ignore_unavailable=True)


def _block(name: str, blocked: bool) -> None:
    with available():
        client().indices.put_settings(index=name, settings={"index.blocks.write": blocked or None})


def _abandon(summary: Summary) -> None:
    """Back to how it was; if Elasticsearch is away, the next rebuild does this."""
    try:
        if index.current() == summary.old:
            _block(summary.old, False)
            with available():
                client().indices.delete(index=summary.new, ignore_unavailable=True)
    except index.SearchUnavailable:
        return
