"""Who acts, from where: asked for when a change is made (see audittrail.capture.stamping)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property

import orjson

from audittrail.capture.values import LONGEST, check_moment, check_snapshot, check_text

ACTOR_TYPES = ("user", "service", "system", "unknown")
ORIGIN_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.  type: user, service, system or unknown; id: e.g. `newsroom.author:7`; snapshot: name, byline, role and
    desk as an outside CMS knows them, for actors that no tracked model holds; each of 2,000 characters at most.

    Raises TypeError or ValueError that names what does not fit.
    """

    type: str
    id: str | None = None
    snapshot: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.type not in ACTOR_TYPES:
            raise ValueError(f"actor type {self.type!r} is not one of {', '.join(ACTOR_TYPES)}")
        check_text("actor id", self.id, LONGEST)
        if self.snapshot is not None:
            check_snapshot(self.snapshot)


UNKNOWN = Actor("unknown")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change comes from; every part may be unknown, and is cut to 500 characters.

    Raises TypeError or ValueError that names what is no text.
    """

    request_id: str | None = None
    correlation_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    channel: str | None = None
    traceparent: str | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            check_text(part.name, value)
            if value is not None:
                object.__setattr__(self, part.name, value[:ORIGIN_LIMIT])


@dataclass(frozen=True)
class Context:
    """An actor, the origin of a request or task, and when the change was made, if that was not now.

    Raises TypeError or ValueError that names what does not fit.
    """

    actor: Actor = UNKNOWN
    origin: Origin = field(default_factory=Origin)
    occurred_at: datetime | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.actor, Actor):
            raise TypeError(f"actor must be an Actor, like Actor('user', 'auth.user:7'), not {self.actor!r}")
        if self.occurred_at is not None:
            check_moment(self.occurred_at)

    @cached_property
    def setting(self) -> str:
        """The value of `audit.context` that the fold reads."""
        parts = {"actor": _given(self.actor), "context": _given(self.origin), "occurred_at": self.occurred_at}
        return orjson.dumps(parts).decode()


def _given(part: Actor | Origin) -> dict[str, object]:
    return {each.name: value for each in fields(part) if (value := getattr(part, each.name)) is not None}


Source = Callable[[], Context | None]
"""Is asked for the context when a change is made."""

_source: ContextVar[Source] = ContextVar("audit_context", default=lambda: None)


def current() -> Context | None:
    """The context that changes belong to now."""
    return _source.get()()


@contextmanager
def acting(source: Source) -> Iterator[None]:
    """Everything changed inside belongs to what `source` answers then."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)
