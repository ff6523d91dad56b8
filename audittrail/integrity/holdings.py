"""What all stores have of some articles, read for a restoration."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute
from django.db import DEFAULT_DB_ALIAS

from audittrail import outbox
from audittrail.archive import format, objects, reader
from audittrail.archive.format import ArchivedEvent
from audittrail.events import database_rows
from audittrail.integrity import provenance
from audittrail.integrity.provenance import Copy
from audittrail.models import Head, OutboxEvent, VerifiedHead
from audittrail.search import documents, index


@dataclass
class Holding:
    """What all stores have of one article.

    `copies`: by sequence, of database and archive. `indexed`: its search documents, by sequence. `known`: sequences
    with the hash that capture says they have. `in_flight`: sequences that need not have arrived anywhere; `in_outbox`:
    others that the outbox still has.
    """

    article_id: str
    copies: dict[int, list[Copy]] = field(default_factory=lambda: defaultdict(list))
    indexed: dict[int, index.Document] = field(default_factory=dict)
    known: list[tuple[int, bytes]] = field(default_factory=list)
    in_flight: set[int] = field(default_factory=set)
    in_outbox: set[int] = field(default_factory=set)

    def proven(self) -> dict[int, Copy]:
        """The captured events that are certain, by sequence; none where capture contradicts itself."""
        try:
            return provenance.proven(self.article_id, self.copies, provenance.anchors(self.known), self.indexed)
        except provenance.Contradiction:
            return {}

    @property
    def last(self) -> int:
        return max((sequence for sequence, _ in self.known), default=0)


def read(articles: Collection[str], recent: datetime, archived: list[str] | None = None) -> dict[str, Holding]:
    """What the stores have of some articles, by article. `archived`: only these objects of the archive; nothing that
    came after `recent` is known to be lost.

    Raises SearchUnavailable, ObjectStoreUnavailable.
    """
    holdings = {article: Holding(article) for article in articles}
    _add_heads(holdings)
    _add_outbox(holdings, recent)
    for event in database_rows.events("e.article_id = ANY(%s)", [list(articles)], using=DEFAULT_DB_ALIAS):
        holdings[event["article_id"]].copies[event["sequence"]].append(Copy("database", event))
    for name in reader.current() if archived is None else archived:
        for row in _archived_events(name, articles):
            holdings[row["article_id"]].copies[row["sequence"]].append(Copy("archive", row, name))
    for document in _documents_of(articles):
        holdings[document["article_id"]].indexed[document["sequence"]] = document
    return holdings


def _add_heads(holdings: Mapping[str, Holding]) -> None:
    wanted, values = list(holdings), ("article_id", "sequence", "hash")
    heads = Head.objects.filter(sequence__gt=0, article_id__in=wanted).values_list(*values)
    verified = VerifiedHead.objects.filter(article_id__in=wanted).values_list(*values)
    for article, sequence, hash_ in (*heads, *verified):
        holdings[article].known.append((sequence, bytes(hash_)))


def _add_outbox(holdings: Mapping[str, Holding], recent: datetime) -> None:
    captured = OutboxEvent.objects.filter(article_id__in=list(holdings)).annotate(in_flight=outbox.is_in_flight(recent))
    for row in captured.values_list("article_id", "sequence", "hash", "previous_hash", "in_flight").iterator():
        article, sequence, hash_, previous_hash, in_flight = row
        holding = holdings[article]
        holding.known.append((sequence, bytes(hash_)))
        if sequence > 1:
            holding.known.append((sequence - 1, bytes(previous_hash)))
        (holding.in_flight if in_flight else holding.in_outbox).add(sequence)


def _archived_events(name: str, articles: Collection[str]) -> Iterator[ArchivedEvent]:
    """An object's events of some articles; of one that is not there or cannot be read, none."""
    try:
        table = format.from_parquet(objects.read(name).content)
        wanted = pa.compute.is_in(table["article_id"], pa.array(list(articles), pa.string()))
        yield from format.events(table.filter(wanted))
    except (FileNotFoundError, pa.ArrowException, KeyError, ValueError):
        return


def _documents_of(articles: Collection[str]) -> Iterator[index.Document]:
    """Documents of some articles; of those under an identity that is not theirs, none."""
    for page in index.scan({"terms": {"article_id": list(articles)}}):
        for found in page:
            document = found.document
            if found.id == documents.document_id(document["article_id"], document.get("sequence", 0)):
                yield document
