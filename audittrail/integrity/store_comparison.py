"""The search index and the archive against the database: the same events, each once, the same in every field."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from audittrail.archive import reader
from audittrail.integrity import fingerprints
from audittrail.integrity.archive_digests import Archived, Digester, Unreadable
from audittrail.integrity.findings import Finding
from audittrail.search import documents, index

Key = tuple[str, int]


class Witness(NamedTuple):
    """Digests of one event and of its search document, as the database has it; its hash, to tell a forgery."""

    event: bytes
    document: bytes
    hash: bytes


def witnesses(trail: list[dict]) -> Iterator[tuple[Key, Witness]]:
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
    """Copies in one store, fed one by one; `remaining` are the events not seen there yet."""

    def __init__(self, store: str, known: dict[Key, Witness], in_scope):
        self.store, self._known, self._in_scope = store, known, in_scope
        self._seen: set[Key] = set()

    def feed(self, key: Key, digest: bytes, hash_: bytes, expected) -> Iterator[Finding]:
        """`expected`: which of a witness's digests this store must equal."""
        if not self._in_scope(key):
            return
        witness = self._known.get(key)
        if key in self._seen:
            yield self._finding(key, "doubled", "the store holds it more than once")
        elif witness is None:
            yield self._finding(key, "added", "the database has no such event")
        elif witness.hash != hash_:
            yield self._finding(key, "forged", f"its hash is {hash_.hex()}, in the database {witness.hash.hex()}")
        elif expected(witness) != digest:
            yield self._finding(
                key,
                "altered",
                "it differs from the database's in what the hash does not cover, or was changed without its hash",
            )
        self._seen.add(key)

    def remaining(self) -> list[Key]:
        return [key for key in self._known if key not in self._seen]

    def _finding(self, key: Key, kind: str, detail: str) -> Finding:
        return Finding(self.store, kind, *key, detail)


def indexed(comparison: Comparison, article_id: str | None) -> Iterator[Finding]:
    """What is wrong with any document of the index. Raises index.SearchUnavailable."""
    query: index.Query = {"term": {"article_id": article_id}} if article_id else {"match_all": {}}
    for found in _fetched_ahead(index.scan(query)):
        document = found.document
        key = (document.get("article_id", ""), document.get("sequence", 0))
        if found.id != documents.document_id(*key):
            detail = f"document {found.id} does not stand under its own identity"
            yield Finding("index", "added", str(key[0]), int(key[1]), detail)
            continue
        yield from comparison.feed(
            key, fingerprints.of_document(document), _bytes(document.get("hash")), lambda witness: witness.document
        )


def _fetched_ahead(pages: Iterator[list[index.Found]]) -> Iterator[index.Found]:
    """The documents, the next page of them being fetched while one is compared."""
    with ThreadPoolExecutor(1, thread_name_prefix="index") as pool:
        upcoming = pool.submit(next, pages, None)
        while page := upcoming.result():
            upcoming = pool.submit(next, pages, None)
            yield from page


class Archive(NamedTuple):
    """What was read of the archive: what is wrong with its objects, and their events."""

    findings: list[Finding]
    events: list[Archived]


def read_archive(digested: Digester) -> Archive:
    """Every object of the archive, each read once. Raises objects.ObjectStoreUnavailable, and FileNotFoundError for one
    that went meanwhile.
    """
    kinds = {"missing": "object_missing", "gap": "object_missing", "added": "added"}
    findings, events = [], []

    def seen(name: str, content: bytes) -> None:
        try:
            events.extend(digested(content))
        except Unreadable as error:
            findings.append(Finding("archive", "object_changed", name, 0, f"cannot be read: {error}"))

    broken = [
        Finding("archive", kinds.get(found.kind, "object_changed"), found.name, 0, found.detail)
        for found in reader.check(seen)
    ]
    return Archive(broken + findings, events)


def archived(comparison: Comparison, archive: Archive) -> Iterator[Finding]:
    """What is wrong with the archive's objects, and with every event in them."""
    yield from archive.findings
    for event in archive.events:
        yield from comparison.feed(
            (event.article_id, event.sequence), event.fingerprint, event.hash, lambda witness: witness.event
        )


def _bytes(text) -> bytes:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        return b""
