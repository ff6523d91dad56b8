"""Refuses values that an event cannot hold, where they are given: TypeError or ValueError with name and remedy."""

import math
from datetime import datetime

SNAPSHOT_KEYS = ("name", "byline", "role", "desk")
LONGEST = 2_000
"""Characters of an actor's identity, and of each part of a snapshot."""


def check_text(name: str, value: object, longest: float = math.inf) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text or None, not {value!r}: convert it with str()")
    if "\x00" in value:
        raise ValueError(f"{name} {value!r} holds a NUL character, which PostgreSQL cannot store: remove it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} {value!r} holds a lone surrogate, which is no text: remove it") from None
    if len(value) > longest:
        raise ValueError(f"{name} has {len(value):,} characters; {longest:,} at most")


def check_snapshot(snapshot: object) -> None:
    if not isinstance(snapshot, dict):
        raise TypeError(f"snapshot must be a dict of {', '.join(SNAPSHOT_KEYS)}, not {snapshot!r}")
    for key, value in snapshot.items():
        if key not in SNAPSHOT_KEYS:
            raise ValueError(f"snapshot key {key!r} is not one of {', '.join(SNAPSHOT_KEYS)}")
        check_text(f"snapshot {key}", value, LONGEST)


def check_moment(occurred_at: object) -> None:
    if not isinstance(occurred_at, datetime):
        raise TypeError(f"occurred_at must be an aware datetime, not {occurred_at!r}")
    if occurred_at.utcoffset() is None:
        raise ValueError(
            f"occurred_at {occurred_at.isoformat()} has no time zone: make it aware, "
            "as by django.utils.timezone.make_aware"
        )
