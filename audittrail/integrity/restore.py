"""What a store lost or holds altered, and from which copy each event can be re-created.

A plan is made of steps, read from the stores a few articles at a time; carrying it out is the caller's
(consumers.operations.restoring). Only proven events are written (see audittrail.integrity.provenance); what no store
can prove is left as it is, for verification to name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from audittrail.archive import object_names, repair
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.repair import Correction, OffsetGap
from audittrail.events.event import EnrichedEvent
from audittrail.integrity import fingerprints, holdings
from audittrail.integrity.holdings import Holding
from audittrail.integrity.provenance import Copy
from audittrail.integrity.report import VerificationReport
from audittrail.search import documents
from audittrail.search.documents import SearchDocument
from audittrail.search.index import Document

ARTICLES_AT_ONCE = 2_000
"""Held in memory at a time; each time the archive is read once."""

ACTIONS = {
    "insert": "add the row, as the database sink does",
    "replace": "keep the altered row as a fork, then replace it, in the owner's role",
    "create": "write the event to a new object",
    "rebuild": "copy the object to evidence/, then rebuild it",
    "close": "say that nothing is at the offsets of a lost object",
    "index": "make the document",
    "overwrite": "write the document anew",
    "publish": "have the relay publish the event again",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`action` of ACTIONS; `target`: an article, an object or a place in the archive; `source`: the store that has the
    event.

    What the action needs: `event`, to be written; `altered`, the row to be replaced; `document`; `gap`.
    """

    store: str
    action: str
    target: str
    sequence: int
    source: str
    event: EnrichedEvent | None = None
    altered: EnrichedEvent | None = None
    document: SearchDocument | None = None
    gap: OffsetGap | None = None

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What a later plan that has the same step names it by."""
        return self.store, self.action, self.target, self.sequence

    def without_contents(self) -> "Step":
        """The step to be shown, without what takes memory."""
        return replace(self, event=None, altered=None, document=None, gap=None)


def plan(report: VerificationReport, recent: datetime, article_id: str | None = None) -> Iterator[Step]:
    """Everything that can be done about a report's findings; of what came after `recent` nothing is known to be lost.

    `article_id`: only this article's events, and no objects. Raises SearchUnavailable, ObjectStoreUnavailable.
    """
    damaged = {
        finding.article_id
        for finding in report.findings
        if finding.store == "archive" and finding.kind.startswith("object_")
    }
    to_rebuild = {name for name in damaged if name.startswith((object_names.TAIL, object_names.EVENTS))}
    articles = {finding.article_id for finding in report.findings} - damaged - {""}
    articles |= {row["article_id"] for name in to_rebuild for row in repair.rows(name)}
    # What a damaged object holds shows once it is rebuilt: an event that it has must not be created in another.
    may_create = not to_rebuild
    for step in _of_articles(sorted(articles), recent):
        if step.action == "rebuild":
            to_rebuild.add(step.target)
        elif step.action != "create" or may_create:
            yield step
    if article_id is None:
        yield from (Step("archive", "rebuild", name, 0, "database and itself") for name in sorted(to_rebuild))
        yield from _of_gaps(report)


def _of_gaps(report: VerificationReport) -> Iterator[Step]:
    if any(finding.kind == "object_missing" for finding in report.findings):
        for gap in repair.gaps():
            yield Step("archive", "close", f"topic={gap.topic_id} p{gap.partition:02d}", 0, "", gap=gap)


def _of_articles(articles: list[str], recent: datetime) -> Iterator[Step]:
    for start in range(0, len(articles), ARTICLES_AT_ONCE):
        for holding in holdings.read(articles[start : start + ARTICLES_AT_ONCE], recent).values():
            yield from _of_article(holding)


def _of_article(holding: Holding) -> Iterator[Step]:
    proven, section = holding.proven(), None
    for sequence in range(1, holding.last + 1):
        if sequence in holding.in_flight:
            continue
        copies = holding.copies.get(sequence, [])
        if (copy := proven.get(sequence)) is None:
            if sequence in holding.in_outbox and not any(other.store == "archive" for other in copies):
                yield Step("database", "publish", holding.article_id, sequence, "outbox")
            continue
        yield from _of_event(copy, copies)
        document = documents.source(copy.event, section)
        section = document["section"]
        if action := _action_on_document(document, holding.indexed.get(sequence)):
            yield Step("index", action, holding.article_id, sequence, copy.store, document=document)


def _of_event(proven: Copy, copies: list[Copy]) -> Iterator[Step]:
    """What database and archive lack or hold altered of one event."""
    event = proven.event
    article_id, sequence = event["article_id"], event["sequence"]
    stores = {copy.store for copy in copies}
    if "database" not in stores:
        yield Step("database", "insert", article_id, sequence, proven.store, event)
    if "archive" not in stores:
        yield Step("archive", "create", article_id, sequence, proven.store, event)
    fingerprint = fingerprints.of_event(event)
    for copy in copies:
        if fingerprints.of_event(copy.event) == fingerprint:
            continue
        if copy.store == "archive":
            yield Step("archive", "rebuild", copy.place, 0, proven.store)
        else:
            yield Step("database", "replace", article_id, sequence, proven.store, event, altered=copy.event)


def _action_on_document(document: SearchDocument, stored: Document | None) -> str | None:
    if stored is None:
        return "index"
    return None if fingerprints.of_document(stored) == fingerprints.of_document(document) else "overwrite"


def correction_of(name: str, recent: datetime) -> Correction:
    """How to correct the rows of an object, for repair.rebuild. Raises SearchUnavailable, ObjectStoreUnavailable."""
    articles = {row["article_id"] for row in repair.rows(name)}
    held = holdings.read(articles, recent, [name])
    proven = {article: holding.proven() for article, holding in held.items()}

    def correct(row: ArchivedEvent) -> ArchivedEvent | None:
        article, sequence = row["article_id"], row["sequence"]
        copy = proven[article].get(sequence)
        if copy is None:
            # The row may be the only copy; of an event that was never captured it is none.
            return row if 0 < sequence <= held[article].last else None
        return _with_captured_values(row, copy.event)

    return correct


def _with_captured_values(row: ArchivedEvent, event: EnrichedEvent) -> ArchivedEvent:
    # Only what differs, as stores order maps each in their own way: so the object becomes what was written, byte for
    # byte.
    corrected = row.copy()
    for name in fingerprints.differing(row, event):
        corrected[name] = event[name]  # type: ignore[literal-required]  # names of fields that both have
    return corrected
