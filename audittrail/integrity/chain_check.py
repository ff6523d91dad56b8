"""The database's own trail against the capture heads: each article's chain, walked from its first event or from what
was verified before.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from audittrail.events.event import EnrichedEvent
from audittrail.integrity.chain import Chain, ChainBreak, event_hash
from audittrail.integrity.findings import Finding


class Anchor(NamedTuple):
    """A sequence of an article and the hash that its event must have."""

    sequence: int
    hash: bytes


class Expected(NamedTuple):
    """What is known of an article from elsewhere: its capture head, and up to where it was verified before."""

    head: Anchor
    verified: Anchor | None


class CheckedTrail(NamedTuple):
    """One article's events, in order, and what is wrong with them."""

    article_id: str
    events: list[EnrichedEvent]
    findings: list[Finding]


_ALTERED = {"hash", "state_digest", "change_mismatch", "unresolved_payload"}


def walk(events: Iterable[EnrichedEvent], expected: Mapping[str, Expected]) -> Iterator[CheckedTrail]:
    """Each article with its events, in order, and what is wrong with them. `events`: by article and sequence."""
    for article_id, some in groupby(events, key=itemgetter("article_id")):
        trail = list(some)
        yield CheckedTrail(article_id, trail, check(article_id, trail, expected.get(article_id)))


def check(article_id: str, trail: list[EnrichedEvent], expected: Expected | None) -> list[Finding]:
    """What is wrong with one article's events, which start at its first one or at a keyframe."""
    findings = list(_named(article_id, trail, list(_chain_breaks(article_id, trail))))
    if expected is None:
        return [
            *findings,
            Finding("database", "added", article_id, 0, f"{len(trail)} events of an article that was never captured"),
        ]
    return [*findings, *_against_anchors(article_id, trail, expected)]


def _chain_breaks(article_id: str, trail: list[EnrichedEvent]) -> Iterator[ChainBreak]:
    chain = Chain(article_id)
    if trail[0]["keyframe"] is not None and trail[0]["sequence"] > 1:
        chain.sequence, chain.hash, chain.state = trail[0]["sequence"] - 1, None, None
    for event in trail:
        yield from chain.feed(event)


def _named(article_id: str, trail: list[EnrichedEvent], breaks: list[ChainBreak]) -> Iterator[Finding]:
    """Breaks of the chain as findings, by what was done to the events."""
    by_sequence = {event["sequence"]: event for event in trail}
    altered = {each.sequence for each in breaks if each.kind in _ALTERED}
    reported: set[int] = set()
    for each in breaks:
        if each.kind == "gap":
            yield Finding("database", "missing", article_id, each.sequence, each.detail)
        elif each.kind in _ALTERED and each.sequence not in reported:
            reported.add(each.sequence)
            yield _altered(article_id, by_sequence[each.sequence], altered, each.detail)
        elif each.kind == "previous_hash" and each.sequence - 1 not in altered and each.sequence not in altered:
            detail = f"it is sound by itself, but the event after it was captured after another one: {each.detail}"
            yield Finding("database", "forged", article_id, each.sequence - 1, detail)


def _altered(article_id: str, event: EnrichedEvent, altered: set[int], detail: str) -> Finding:
    for sequence in altered - {event["sequence"]}:
        moved: EnrichedEvent = {**event, "sequence": sequence}
        if event_hash(moved) == event["hash"]:
            return Finding("database", "reordered", article_id, event["sequence"], f"captured as sequence {sequence}")
    return Finding("database", "altered", article_id, event["sequence"], detail)


def _against_anchors(article_id: str, trail: list[EnrichedEvent], expected: Expected) -> Iterator[Finding]:
    head, verified = expected
    hashes = {event["sequence"]: event["hash"] for event in trail}
    last = trail[-1]["sequence"]
    if verified and head.sequence < verified.sequence:
        yield Finding(
            "capture",
            "head_altered",
            article_id,
            head.sequence,
            f"the head was set back from {verified.sequence}, which was verified",
        )
    if last < (known := max(head.sequence, verified.sequence if verified else 0)):
        yield Finding("database", "cut_off", article_id, last + 1, f"events {last + 1} to {known} were captured")
    for sequence in sorted(sequence for sequence in hashes if sequence > known):
        yield Finding("database", "added", article_id, sequence, f"the article was captured up to {known} only")
    for anchor, source in ((head, "the capture head"), (verified, "the last verification")):
        if anchor and hashes.get(anchor.sequence, anchor.hash) != anchor.hash:
            detail = f"{source} has hash {anchor.hash.hex()}, the event {hashes[anchor.sequence].hex()}"
            yield Finding("database", "forged", article_id, anchor.sequence, detail)
