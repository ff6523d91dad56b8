"""Which of an event's copies is the one that was captured.

An event is proven by what it is chained to: a head, an earlier verification or the outbox says which hash the article's
trail has at some sequence, each event says the hash of the one before it, and the article rebuilt from the events must
have their digests. What the hash does not cover (names, labels, the derived action) is taken from where two stores
agree.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import NamedTuple

from audittrail.events.event import EnrichedEvent
from audittrail.integrity import fingerprints
from audittrail.integrity.chain import Chain, event_hash
from audittrail.search import documents
from audittrail.search.index import Document

Anchors = dict[int, bytes]
"""Sequence → the hash that the event there must have."""


class Contradiction(ValueError):
    """Two sources that capture wrote name different hashes for one event; the text says where."""


class Copy(NamedTuple):
    """An event as a store has it. `place`: the object, in the archive."""

    store: str
    event: EnrichedEvent
    place: str = ""


def anchors(known: Iterable[tuple[int, bytes]]) -> Anchors:
    """Of (sequence, hash) from heads, verifications and the outbox. Raises Contradiction."""
    found: Anchors = {}
    for sequence, hash_ in known:
        if found.setdefault(sequence, hash_) != hash_:
            raise Contradiction(f"event {sequence} should have hash {found[sequence].hex()}, and {hash_.hex()}")
    return found


def proven(
    article_id: str, copies: Mapping[int, list[Copy]], known: Anchors, indexed: Mapping[int, Document]
) -> dict[int, Copy]:
    """The captured event at each sequence, up to the last anchor, where it is certain.

    `copies`: of database and archive, by sequence. `indexed`: the article's search documents: they decide where both
    copies are sound and differ in what the hash does not cover.
    """
    hashes = _linked(copies, known)
    chain, section = Chain(article_id), None
    found: dict[int, Copy] = {}
    for sequence in sorted(hashes):
        document = indexed.get(sequence)
        candidates = [copy for copy in copies.get(sequence, ()) if copy.event["hash"] == hashes[sequence]]
        accepted = [(copy, after) for copy in candidates if (after := _chain_after(chain, copy.event)) is not None]
        if chosen := _chosen(accepted, document, section):
            found[sequence], chain = chosen
            section = documents.section_after(found[sequence].event, section)
    return found


def _linked(copies: Mapping[int, list[Copy]], known: Anchors) -> Anchors:
    """From each anchor back along previous_hash; where that breaks, a sequence at which all sound copies are the same
    event goes on.
    """
    hashes = dict(known)
    for sequence in range(max(known, default=0), 0, -1):
        sound = [
            copy.event
            for copy in copies.get(sequence, ())
            if _is_sound(copy.event) and copy.event["hash"] == hashes.get(sequence, copy.event["hash"])
        ]
        if len({event["hash"] for event in sound}) == 1:
            hashes[sequence] = sound[0]["hash"]
            hashes.setdefault(sequence - 1, sound[0]["previous_hash"])
    hashes.pop(0, None)
    return hashes


def _is_sound(event: EnrichedEvent) -> bool:
    # The hash of an amended event is that of what was captured: it can only be compared, not recomputed.
    return bool(event["amendments"]) or event_hash(event) == event["hash"]


def _chain_after(chain: Chain, event: EnrichedEvent) -> Chain | None:
    """The chain after the event; None if the event does not fit into it."""
    after = deepcopy(chain)
    wrong = [
        found for found in after.feed(event) if found.sequence == event["sequence"] and found.kind != "previous_hash"
    ]
    return None if wrong and not event["amendments"] else after


def _chosen(
    accepted: list[tuple[Copy, Chain]], document: Document | None, section: list[str] | None
) -> tuple[Copy, Chain] | None:
    """The copy that another store agrees with, or that needs no other, and the chain after it."""
    alternatives = {fingerprints.of_event(copy.event) for copy, _ in accepted}
    if len(alternatives) == 1:
        copy, after = accepted[0]
        agreed = len({other.store for other, _ in accepted}) > 1 or _is_document_of(copy.event, document, section)
        return (copy, after) if agreed or _is_proven_alone(copy.event, after) else None
    agreeing = [(copy, after) for copy, after in accepted if _is_document_of(copy.event, document, section)]
    return agreeing[0] if len({fingerprints.of_event(copy.event) for copy, _ in agreeing}) == 1 else None


def _is_proven_alone(event: EnrichedEvent, after: Chain) -> bool:
    """Whether one copy is enough: its content has been rebuilt and has the digest that its hash covers."""
    return after.state is not None and not event["amendments"]


def _is_document_of(event: EnrichedEvent, document: Document | None, section: list[str] | None) -> bool:
    return document is not None and fingerprints.of_document(
        documents.source(event, section)
    ) == fingerprints.of_document(document)
