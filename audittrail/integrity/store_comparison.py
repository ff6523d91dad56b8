"""Every other store against the database: the same events, each once, the same in every field."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from audittrail.archive import reader
from audittrail.events.event import EnrichedEvent, EventKey
from audittrail.integrity import fingerprints
from audittrail.integrity.archive_digests import Digester, Unreadable
from audittrail.integrity.findings import Finding
from audittrail.integrity.fingerprints import EventDigest
from audittrail.search import documents, index

_ARCHIVE_KINDS = {"missing": "object_missing", "gap": "object_missing", "added": "added"}
"""Kinds of ObjectProblem → kinds of Finding; others are object_changed."""


class StoreUnavailable(Exception):
    """A further store cannot be read now; the text says why."""


class FurtherStore(Protocol):
    """A store of another sink that takes part in verification (see verify.further_stores)."""

    @property
    def name(self) -> str:
        """Not one of report.STORES."""

    def digests(self, article_id: str | None) -> Iterable[EventDigest]:
        """Every event that the store holds, or of one article; in any order. Raises StoreUnavailable."""


class Witness(NamedTuple):
    """Digests of one event and of its search document, as the database has it; its hash, to tell a forgery."""

    event: bytes
    document: bytes
    hash: bytes


def witnesses(trail: list[EnrichedEvent]) -> Iterator[tuple[EventKey, Witness]]:
    """Of one article's events, in order."""
    section = None
    for event in trail:
        document = documents.source(event, section)
        section = document["section"]
        yield (
            (event["article_id"], event["sequence"]),
            Witness(fingerprints.of_event(event), fingerprints.of_document(document), event["hash"]),
        )


class Comparison:
    """Copies in one store, compared one by one; `remaining` are the events not seen there yet.

    `known`: the database's events; `in_scope`: whether a copy is looked at.
    """

    def __init__(self, store: str, known: dict[EventKey, Witness], in_scope: Callable[[EventKey], bool]):
        self.store, self._known, self._in_scope = store, known, in_scope
        self._seen: set[EventKey] = set()

    def compare(self, copy: EventDigest, fingerprint_of: Callable[[Witness], bytes]) -> Iterator[Finding]:
        """What is wrong with a copy. `fingerprint_of`: which of a witness's digests this store must equal."""
        key = copy.key
        if not self._in_scope(key):
            return
        witness = self._known.get(key)
        if key in self._seen:
            yield self._finding(key, "doubled", "the store holds it more than once")
        elif witness is None:
            yield self._finding(key, "added", "the database has no such event")
        elif witness.hash != copy.hash:
            yield self._finding(key, "forged", f"its hash is {copy.hash.hex()}, in the database {witness.hash.hex()}")
        elif copy.fingerprint is not None and copy.fingerprint != fingerprint_of(witness):
            yield self._finding(
                key,
                "altered",
                "it differs from the database's in what the hash does not cover, or was changed without its hash",
            )
        self._seen.add(key)

    def remaining(self) -> list[EventKey]:
        return [key for key in self._known if key not in self._seen]

    def _finding(self, key: EventKey, kind: str, detail: str) -> Finding:
        return Finding(self.store, kind, *key, detail)


def compare_index(comparison: Comparison, article_id: str | None) -> Iterator[Finding]:
    """What is wrong with any document of the index. Raises index.SearchUnavailable."""
    query: index.IndexQuery = {"term": {"article_id": article_id}} if article_id else {"match_all": {}}
    for found in _fetched_ahead(index.scan(query)):
        document = found.document
        article, sequence = document.get("article_id", ""), document.get("sequence", 0)
        if found.id != documents.document_id(article, sequence):
            detail = f"document {found.id} does not stand under its own identity"
            yield Finding("index", "added", str(article), int(sequence), detail)
            continue
        copy = EventDigest(article, sequence, _bytes(document.get("hash")), fingerprints.of_document(document))
        yield from comparison.compare(copy, lambda witness: witness.document)


def _fetched_ahead(pages: Iterator[list[index.Found]]) -> Iterator[index.Found]:
    """The documents, the next page of them being fetched while one is compared."""
    with ThreadPoolExecutor(1, thread_name_prefix="index") as pool:
        upcoming = pool.submit(next, pages, None)
        while page := upcoming.result():
            upcoming = pool.submit(next, pages, None)
            yield from page


class ArchiveReading(NamedTuple):
    """What was read of the archive: what is wrong with its objects, and their events."""

    findings: list[Finding]
    events: list[EventDigest]


def read_archive(digest: Digester) -> ArchiveReading:
    """Every object of the archive, each read once. Raises ObjectStoreUnavailable, and FileNotFoundError for one that
    went meanwhile.
    """
    unreadable: list[Finding] = []
    events: list[EventDigest] = []

    def seen(name: str, content: bytes) -> None:
        try:
            events.extend(digest(content))
        except Unreadable as error:
            unreadable.append(Finding("archive", "object_changed", name, 0, f"cannot be read: {error}"))

    problems = [
        Finding("archive", _ARCHIVE_KINDS.get(problem.kind, "object_changed"), problem.name, 0, problem.detail)
        for problem in reader.check(seen)
    ]
    return ArchiveReading(problems + unreadable, events)


def compare_archive(comparison: Comparison, reading: ArchiveReading) -> Iterator[Finding]:
    """What is wrong with the archive's objects, and with every event in them."""
    yield from reading.findings
    yield from compare_events(comparison, reading.events)


def compare_events(comparison: Comparison, copies: Iterable[EventDigest]) -> Iterator[Finding]:
    """What is wrong with copies of events in a store that holds them as they are in the database."""
    for copy in copies:
        yield from comparison.compare(copy, lambda witness: witness.event)


def _bytes(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
