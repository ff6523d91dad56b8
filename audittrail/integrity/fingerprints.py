"""Short digests by which the copies of an event in different stores are compared, whole."""

import hashlib

import orjson

_FIELDS = [
    "event_id",
    "article_id",
    "kind",
    "sequence",
    "operation",
    "title",
    "status",
    "occurred_at",
    "recorded_at",
    "changes",
    "labels",
    "keyframe",
    "amendments",
    "salt",
    "state_digest",
    "previous_hash",
    "hash",
    "schema_version",
    "action",
    "actor_profile",
    "words_added",
    "words_removed",
]
_CONTEXT = ("request_id", "correlation_id", "ip", "user_agent", "channel")
# When it was indexed is no part of the event; the section may not have been known to the writer.
_OF_THE_WRITER = frozenset({"indexed_at", "section"})


def of_event(event: dict) -> bytes:
    """The same for the same enriched event, whichever store it was read from.

    Left out: an actor's snapshot (the profile says the same) and where a large payload lies.
    """
    return _digest(comparable(event))


def of_document(document: dict) -> bytes:
    """The same for the same search document, whenever it was indexed."""
    return _digest({name: value for name, value in document.items() if name not in _OF_THE_WRITER})


def comparable(event: dict) -> dict:
    """What of an event must be the same in every store."""
    context, actor = event["context"], event["actor"]
    return {
        **{name: event.get(name) for name in _FIELDS},
        "actor": [actor["type"], actor["id"], actor["version"]],
        "context": [context.get(name) for name in _CONTEXT],
    }


def differing(one: dict, other: dict) -> list[str]:
    """The fields in which two copies of an event differ."""
    one, other = comparable(one), comparable(other)
    return [name for name in one if _digest(one[name]) != _digest(other[name])]


def _digest(value) -> bytes:
    return hashlib.blake2b(
        orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z), digest_size=16
    ).digest()


def _plain(value) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    raise TypeError(f"{type(value).__name__} is no part of an event")
