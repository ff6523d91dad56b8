"""An event as JSON, as it is kept for evidence: identities and times as text, bytes as hexadecimal."""

import orjson

from audittrail.events.event import Event


def as_json(event: Event) -> bytes:
    """UTF-8 of the whole event. Raises TypeError for a value that events do not have."""
    return orjson.dumps(event, default=_hexadecimal)


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} is no part of an event")
