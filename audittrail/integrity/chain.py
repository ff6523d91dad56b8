"""The chain: each event carries the hash of the one before it in its article, and a digest of the whole state after it.

docs/chain.md specifies what is hashed and how it is encoded; capture computes the same in SQL. Here it is recomputed
from decoded events and the state rebuilt from them, so that a lost, altered or reordered event shows.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from audittrail.events.event import Event, Keyframe
from audittrail.events.times import EPOCH
from audittrail.events.versions import ChangeMismatch, State, UnresolvedPayload, is_reference, with_changes

DOMAIN = b"audit-trail/1"
NO_PREVIOUS = bytes(32)


class ChainBreak(NamedTuple):
    """Something wrong with an article's chain.

    ``kind``: gap, fork, repeat, previous_hash (reordered, cut or replaced), hash (metadata altered), state_digest
    (content altered), change_mismatch (a change does not fit the state before it, or the keyframe after it),
    unresolved_payload.
    """

    article_id: str
    sequence: int
    kind: str
    detail: str


def length_prefixed(text: str) -> bytes:
    """lp: 4 bytes of length, big-endian, and the UTF-8 bytes."""
    data = text.encode()
    return len(data).to_bytes(4) + data


def nullable(text: str | None) -> bytes:
    """n: 0x00 for null, otherwise 0x01 and lp."""
    return b"\x00" if text is None else b"\x01" + length_prefixed(text)


def identities(ids: Iterable[str]) -> bytes:
    """A relation: 0x02, 4 bytes of count, and lp of each id in order."""
    ids = list(ids)
    return b"\x02" + len(ids).to_bytes(4) + b"".join(map(length_prefixed, ids))


def leaf(salt: bytes, field: str, value: str | list[str] | None) -> bytes:
    """Digest of one field; ``salt`` is that of the event that last changed it, or of the last keyframe since."""
    encoded = identities(value) if isinstance(value, list) else nullable(value)
    return sha256(salt + length_prefixed(field) + encoded).digest()


def state_digest(leaves: dict[str, bytes]) -> bytes:
    """Digest of an article's state: its leaves by field, in the order of the names' UTF-8 bytes; of a deleted article:
    of nothing.
    """
    # Code points order as their UTF-8 bytes do.
    return sha256(b"".join(length_prefixed(field) + leaves[field] for field in sorted(leaves))).digest()


def event_hash(event: Event) -> bytes:
    """Hash of a decoded event, over its previous_hash, metadata and state_digest as it states them."""
    actor, context = event["actor"], event["context"]
    parts = (
        event["previous_hash"],
        DOMAIN,
        event["event_id"].bytes,
        length_prefixed(event["article_id"]),
        length_prefixed(event["kind"]),
        _int8(event["sequence"]),
        length_prefixed(event["operation"]),
        _int8(micros(event["occurred_at"])),
        _int8(micros(event["recorded_at"])),
        length_prefixed(actor["type"]),
        nullable(actor["id"]),
        _int8(actor["version"] or 0),
        nullable(context.get("request_id")),
        nullable(context.get("correlation_id")),
        nullable(context.get("ip")),
        nullable(context.get("user_agent")),
        nullable(context.get("channel")),
        event["salt"],
        event["state_digest"],
    )
    return sha256(b"".join(parts)).digest()


def micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z, exactly."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _int8(number: int) -> bytes:
    return number.to_bytes(8, signed=True)


class Chain:
    """Walks one article's events in order of sequence; payloads must have been resolved.

    ``sequence`` and ``hash`` are those of the last event, ``state`` what the article was then: None while it is not
    known, after a gap or altered content, until the next keyframe.
    """

    def __init__(self, article_id: str):
        self.article_id = article_id
        self.sequence = 0
        self.hash: bytes | None = NO_PREVIOUS
        self.state: State | None = State()
        self._leaves: dict[str, bytes] = {}

    def feed(self, event: Event) -> list[ChainBreak]:
        """Check the next event; what is wrong with it, or with its place."""
        if event["sequence"] <= self.sequence:
            return [self._earlier(event)]
        breaks = [*self._skipped(event), *self._checked_hashes(event), *self._checked_state(event)]
        self.sequence, self.hash = event["sequence"], event["hash"]
        return breaks

    def _earlier(self, event: Event) -> ChainBreak:
        if event["sequence"] == self.sequence and self.hash is not None and event["hash"] != self.hash:
            return self._break(
                event, "fork", f"a second event, with hash {event['hash'].hex()} instead of {self.hash.hex()}"
            )
        return self._break(event, "repeat", f"comes after sequence {self.sequence}")

    def _skipped(self, event: Event) -> list[ChainBreak]:
        if event["sequence"] == self.sequence + 1:
            return []
        first, last = self.sequence + 1, event["sequence"] - 1
        self.state = self.hash = None
        return [
            ChainBreak(
                self.article_id,
                first,
                "gap",
                f"sequence {first} is missing" if first == last else f"sequences {first} to {last} are missing",
            )
        ]

    def _checked_hashes(self, event: Event) -> list[ChainBreak]:
        breaks = []
        if self.hash is not None and event["previous_hash"] != self.hash:
            breaks.append(
                self._break(
                    event, "previous_hash", f"is {event['previous_hash'].hex()}, the event before has {self.hash.hex()}"
                )
            )
        if event_hash(event) != event["hash"]:
            breaks.append(
                self._break(event, "hash", "is not that of the event's metadata, previous_hash and state_digest")
            )
        return breaks

    def _checked_state(self, event: Event) -> list[ChainBreak]:
        try:
            known = self._advance(event)
        except UnresolvedPayload as error:
            return self._lost(event, "unresolved_payload", str(error))
        except ChangeMismatch as error:
            return self._lost(event, "change_mismatch", str(error))
        if known and state_digest(self._leaves) != event["state_digest"]:
            return self._lost(event, "state_digest", "is not that of the article's content after the event")
        return []

    def _lost(self, event: Event, kind: str, detail: str) -> list[ChainBreak]:
        # One altered event must not make every later one look altered: checking resumes at the next sound keyframe.
        if event["keyframe"] is None or state_digest(self._leaves) != event["state_digest"]:
            self.state = None
        return [self._break(event, kind, detail)]

    def _break(self, event: Event, kind: str, detail: str) -> ChainBreak:
        return ChainBreak(self.article_id, event["sequence"], kind, detail)

    def _advance(self, event: Event) -> bool:
        """Bring state and leaves up to the event; False while the state is not known."""
        if is_reference(event):
            raise UnresolvedPayload("the event's content lies in object storage and was not resolved")
        if event["operation"] == "delete":
            self.state, self._leaves = State(), {}
        elif event["keyframe"] is not None:
            self._advance_to_keyframe(event["keyframe"], event)
        elif self.state is not None:
            self.state = with_changes(self.state, event)
            self._renew(self.state, event["salt"], (change["field"] for change in event["changes"]))
        return self.state is not None

    def _advance_to_keyframe(self, keyframe: Keyframe, event: Event) -> None:
        before, self._leaves = self.state, {}
        self.state = State(keyframe["values"], keyframe["relations"], event["labels"])
        self._renew(self.state, event["salt"], (*self.state.values, *self.state.relations))
        if before is not None and event["operation"] != "create":
            self._compare(self.state, with_changes(before, event), event)

    @staticmethod
    def _compare(keyframe: State, after: State, event: Event) -> None:
        """The event's own changes must lead to its keyframe: altered ones would pass the digest, which the keyframe
        satisfies.
        """
        unknown = {
            change["field"] for change in event["changes"] if change["kind"] == "text" and change["edits"] is None
        }
        fields = {*keyframe.values, *keyframe.relations, *after.values, *after.relations} - unknown
        for field in sorted(fields):
            if _told(keyframe, field) != _told(after, field):
                raise ChangeMismatch(f"sequence {event['sequence']}, {field}: the change does not lead to the keyframe")

    def _renew(self, state: State, salt: bytes, fields: Iterable[str]) -> None:
        for field in fields:
            self._leaves[field] = leaf(salt, field, _value(state, field))


def _told(state: State, field: str) -> str | list[str] | None:
    """A relation that is not tracked any more, or not yet, has nothing in it."""
    value = _value(state, field)
    return None if value == [] else value


def _value(state: State, field: str) -> str | list[str] | None:
    return state.relations[field] if field in state.relations else state.values.get(field)
