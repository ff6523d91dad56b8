"""What a store lost or holds altered, and from which copy each event can be re-created.

A plan is made of steps, read from the stores a few articles at a time; carrying it out is the caller's
(consumers.operations.restoring).  Only proven events are written (see audittrail.integrity.provenance); what no store
can prove is left as it is, for verification to name.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute
from django.db import DEFAULT_DB_ALIAS

from audittrail import outbox
from audittrail.archive import format, object_names, objects, reader, repair
from audittrail.events import database_rows
from audittrail.integrity import fingerprints, provenance
from audittrail.integrity.provenance import Copy
from audittrail.integrity.report import VerificationReport
from audittrail.models import Head, OutboxEvent, VerifiedHead
from audittrail.search import documents, index

ARTICLES_AT_ONCE = 2_000
"""Held in memory at a time; each time the archive is read once."""

DEEDS = {
    "insert": "add the row, as the database sink does",
    "replace": "keep the altered row as a fork, then replace it, in the owner's role",
    "create": "write the event to a new object",
    "rebuild": "copy the object to evidence/, then rebuild it",
    "close": "say that nothing is at the offsets of a lost object",
    "index": "make the document",
    "overwrite": "write the document anew",
    "publish": "have the relay publish the event again",
}


class Step(NamedTuple):
    """`deed` of DEEDS; `target`: an article, an object or a place in the archive; `event`: what is to be written, or
    None.
    """

    store: str
    deed: str
    target: str
    sequence: int
    source: str
    event: dict | None = None
    detail: object = None


@dataclass
class Holding:
    """What all stores have of one article."""

    article_id: str
    copies: dict[int, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    indexed: dict[int, dict] = field(default_factory=dict)
    known: list[tuple[int, bytes]] = field(default_factory=list)
    in_flight: set[int] = field(default_factory=set)
    in_outbox: set[int] = field(default_factory=set)

    def proven(self) -> dict[int, Copy]:
        """The captured events that can be told; none where capture contradicts itself."""
        try:
            return provenance.proven(self.article_id, self.copies, provenance.anchors(self.known), self.indexed)
        except provenance.Contradiction:
            return {}

    @property
    def last(self) -> int:
        return max((sequence for sequence, _ in self.known), default=0)


def plan(report: VerificationReport, recent: datetime, article_id: str | None = None) -> Iterator[Step]:
    """Everything that can be done about a report's findings; of what came after `recent` nothing is known to be lost.

    `article_id`: only this article's events, and no objects.  Raises SearchUnavailable, ObjectStoreUnavailable.
    """
    damaged = {
        finding.article_id
        for finding in report.findings
        if finding.store == "archive" and finding.kind.startswith("object_")
    }
    articles = {finding.article_id for finding in report.findings} - damaged - {""}
    rebuilt = {name for name in damaged if name.startswith((object_names.TAIL, object_names.EVENTS))}
    articles |= {row["article_id"] for name in rebuilt for row in repair.rows(name)}
    # What a damaged object holds shows once it is rebuilt: an event that it has must not be created beside it.
    may_create = not rebuilt
    for step in _of_articles(sorted(articles), recent):
        if step.deed == "rebuild":
            rebuilt.add(step.target)
        elif step.deed != "create" or may_create:
            yield step
    if article_id is not None:
        return
    yield from (Step("archive", "rebuild", name, 0, "database and itself") for name in sorted(rebuilt))
    if any(finding.kind == "object_missing" for finding in report.findings):
        yield from (
            Step("archive", "close", f"topic={gap.topic_id} p{gap.partition:02d}", 0, "", None, gap)
            for gap in repair.gaps()
        )


def _of_articles(articles: list[str], recent: datetime) -> Iterator[Step]:
    for start in range(0, len(articles), ARTICLES_AT_ONCE):
        for holding in read(articles[start : start + ARTICLES_AT_ONCE], recent).values():
            yield from _of_article(holding)


def _of_article(holding: Holding) -> Iterator[Step]:
    found, section = holding.proven(), None
    for sequence in range(1, holding.last + 1):
        if sequence in holding.in_flight:
            continue
        copies = holding.copies.get(sequence, [])
        if (copy := found.get(sequence)) is None:
            if sequence in holding.in_outbox and not any(other.store == "archive" for other in copies):
                yield Step("database", "publish", holding.article_id, sequence, "outbox")
            continue
        yield from _at_rest(holding.article_id, sequence, copy, copies)
        document = documents.source(copy.event, section)
        section = document["section"]
        if deed := _on_document(document, holding.indexed.get(sequence)):
            yield Step("index", deed, holding.article_id, sequence, copy.store, document)


def _at_rest(article_id: str, sequence: int, copy: Copy, copies: list[Copy]) -> Iterator[Step]:
    right = fingerprints.of_event(copy.event)
    stores = {other.store for other in copies}
    if "database" not in stores:
        yield Step("database", "insert", article_id, sequence, copy.store, copy.event)
    if "archive" not in stores:
        yield Step("archive", "create", article_id, sequence, copy.store, copy.event)
    for other in copies:
        if fingerprints.of_event(other.event) != right:
            if other.store == "archive":
                yield Step("archive", "rebuild", other.place, 0, copy.store)
            else:
                yield Step("database", "replace", article_id, sequence, copy.store, copy.event, other.event)


def _on_document(document: dict, stored: dict | None) -> str | None:
    if stored is None:
        return "index"
    return None if fingerprints.of_document(stored) == fingerprints.of_document(document) else "overwrite"


def right_in(name: str, recent: datetime) -> Callable[[dict], dict | None]:
    """For mend.rebuild: which event belongs in the place of a row of an object."""
    held = repair.rows(name)
    holdings = read({row["article_id"] for row in held}, recent, [name])
    found = {article: holding.proven() for article, holding in holdings.items()}

    def right(row: dict) -> dict | None:
        article, sequence = row["article_id"], row["sequence"]
        copy = found[article].get(sequence)
        if copy is None:
            # The row may be the only witness; one that was never captured is none.
            return row if 0 < sequence <= holdings[article].last else None
        # Only what differs, as stores order maps each in their own way: so the object becomes what was written, byte
        # for byte.
        return row | {name: copy.event[name] for name in fingerprints.differing(row, copy.event)}

    return right


def read(articles: Collection[str], recent: datetime, archived: list[str] | None = None) -> dict[str, Holding]:
    """What the stores have of some articles.  `archived`: only these objects of the archive."""
    holdings = {article: Holding(article) for article in articles}
    _read_capture(holdings, recent)
    for event in database_rows.events("e.article_id = ANY(%s)", [list(articles)], using=DEFAULT_DB_ALIAS):
        holdings[event["article_id"]].copies[event["sequence"]].append(Copy("database", event))
    for name in reader.current() if archived is None else archived:
        for event in _events_of(name, articles):
            holdings[event["article_id"]].copies[event["sequence"]].append(Copy("archive", event, name))
    for document in _documents_of(articles):
        holdings[document["article_id"]].indexed[document["sequence"]] = document
    return holdings


def _read_capture(holdings: dict[str, Holding], recent: datetime) -> None:
    for rows in (Head.objects.filter(sequence__gt=0), VerifiedHead.objects.all()):
        for article, sequence, hash_ in rows.filter(article_id__in=list(holdings)).values_list(
            "article_id", "sequence", "hash"
        ):
            holdings[article].known.append((sequence, bytes(hash_)))
    captured = OutboxEvent.objects.filter(article_id__in=list(holdings)).annotate(in_flight=outbox.is_in_flight(recent))
    for row in captured.values_list("article_id", "sequence", "hash", "previous_hash", "in_flight").iterator():
        article, sequence, hash_, previous_hash, in_flight = row
        holding = holdings[article]
        holding.known += [(sequence, bytes(hash_))] + [(sequence - 1, bytes(previous_hash))] * (sequence > 1)
        (holding.in_flight if in_flight else holding.in_outbox).add(sequence)


def _events_of(name: str, articles: Collection[str]) -> Iterator[dict]:
    """An object's events of some articles; of one that is not there or cannot be read, none."""
    try:
        table = format.from_parquet(objects.read(name).content)
        yield from format.events(
            table.filter(pa.compute.is_in(table["article_id"], pa.array(list(articles), pa.string())))
        )
    except (FileNotFoundError, pa.ArrowException, KeyError, ValueError):
        return


def _documents_of(articles: Collection[str]) -> Iterator[dict]:
    for page in index.scan({"terms": {"article_id": list(articles)}}):
        for found in page:
            document = found.document
            if found.id == documents.document_id(document["article_id"], document.get("sequence", 0)):
                yield document
