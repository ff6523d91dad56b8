"""Short digests by which the copies of an event in different stores are compared, whole."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, Self

import orjson

from audittrail.events.event import CONTEXT_FIELDS, ENRICHED_FIELDS, EnrichedEvent, EventActor, EventKey

# The actor's snapshot is in the profile already, and each store says in its own way where a large payload is; of the
# context and the actor the parts are listed, as stores may leave out what is null.
_COMPARED_IN_PARTS = ("actor", "context")
_NOT_COMPARED = ("payload",)
_COMPARED_WHOLE = [name for name in ENRICHED_FIELDS if name not in _COMPARED_IN_PARTS + _NOT_COMPARED]
# When it was indexed is no part of the event; the section may not have been known to the writer.
_OF_THE_WRITER = frozenset({"indexed_at", "section"})

Comparable = dict[str, object]
"""Field → what of it must be the same in every store."""


class EventDigest(NamedTuple):
    """One event of a store: which it is, the hash it states, and its fingerprint; None in a store that does not hold
    whole events.
    """

    article_id: str
    sequence: int
    hash: bytes
    fingerprint: bytes | None

    @classmethod
    def of(cls, event: EnrichedEvent) -> Self:
        return cls(event["article_id"], event["sequence"], event["hash"], of_event(event))

    @property
    def key(self) -> EventKey:
        return self.article_id, self.sequence


def of_event(event: EnrichedEvent) -> bytes:
    """16 bytes: the same for the same enriched event, whichever store it was read from.

    Left out: an actor's snapshot (the profile has the same) and where a large payload is.
    """
    return _digest(comparable(event))


def of_document(document: Mapping[str, object]) -> bytes:
    """16 bytes: the same for the same search document, whenever it was indexed."""
    return _digest({name: value for name, value in document.items() if name not in _OF_THE_WRITER})


def comparable(event: EnrichedEvent) -> Comparable:
    """What of an event must be the same in every store."""
    return {
        **{name: event.get(name) for name in _COMPARED_WHOLE},
        "actor": _actor(event["actor"]),
        "context": [event["context"].get(name) for name in CONTEXT_FIELDS],
    }


def differing(one: EnrichedEvent, other: EnrichedEvent) -> list[str]:
    """The fields in which two copies of an event differ."""
    left, right = comparable(one), comparable(other)
    return [name for name in left if _digest(left[name]) != _digest(right[name])]


def _actor(actor: EventActor) -> list[str | int | None]:
    return [actor["type"], actor["id"], actor["version"]]


def _digest(value: object) -> bytes:
    return hashlib.blake2b(
        orjson.dumps(value, default=_hexadecimal, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z), digest_size=16
    ).digest()


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    raise TypeError(f"{type(value).__name__} is no part of an event")
