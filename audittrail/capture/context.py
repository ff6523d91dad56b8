"""Who changes things, and on whose behalf: the context that capture stamps on each event."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime

import orjson
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.dispatch import Signal

from audittrail.capture.values import check_moment, check_snapshot, check_text
from audittrail.tracking import kind_of

# Sent after the commit of a transaction that ran in a context.
captured = Signal()

ACTOR_TYPES = ("user", "service", "system", "unknown")
ORIGIN_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.  type: user, service, system or unknown; id: e.g. `newsroom.author:7`; snapshot: name, byline, role and
    desk as an outside CMS knows them, for actors that no tracked model holds.

    Raises TypeError or ValueError that names what does not fit.
    """

    type: str
    id: str | None = None
    snapshot: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.type not in ACTOR_TYPES:
            raise ValueError(f"actor type {self.type!r} is not one of {', '.join(ACTOR_TYPES)}")
        check_text("actor id", self.id)
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


@dataclass(frozen=True, slots=True)
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

    def as_setting(self) -> str:
        """The value of `audit.context` that the fold reads."""
        actor = {name: value for name, value in asdict(self.actor).items() if value is not None}
        origin = {name: value for name, value in asdict(self.origin).items() if value is not None}
        return orjson.dumps({"actor": actor, "context": origin, "occurred_at": self.occurred_at}).decode()


_current: ContextVar[Context | None] = ContextVar("audit_context", default=None)


def current() -> Context | None:
    """The context that changes belong to now."""
    return _current.get()


@contextmanager
def context(
    *,
    actor: Actor | None = None,
    occurred_at: datetime | None = None,
    using: str = DEFAULT_DB_ALIAS,
    **origin: str | None,
) -> Iterator[Context]:
    """Everything changed inside belongs to this actor and origin; what is not given is taken from the context around
    it.

    Opens a transaction (a savepoint, within one): outside of transactions there is nothing to stamp.
    origin: request_id, correlation_id, ip, user_agent, channel, traceparent.  Raises TypeError for any other
    name, and TypeError or ValueError, naming the parameter, for a value that does not fit.
    """
    outer = current() or Context()
    inner = Context(actor or outer.actor, replace(outer.origin, **origin), occurred_at or outer.occurred_at)
    nested = connections[using].in_atomic_block
    token = _current.set(inner)
    try:
        with transaction.atomic(using=using):
            (_enter if nested else _begin)(inner.as_setting(), using)
            transaction.on_commit(_announce, using=using)
            yield inner
            if nested and not transaction.get_rollback(using):
                _enter(outer.as_setting() if outer != Context() else "", using)
    finally:
        _current.reset(token)


def record_save(instance: models.Model, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make an event of this save even if it changed nothing (its action is then `saved`).  Call it in a transaction."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit_record_save(%s, %s)", [kind_of(instance), str(instance.pk)])


def fold_now(using: str = DEFAULT_DB_ALIAS) -> None:
    """Append what this transaction has changed so far; in tests of one transaction it stands in for the commit."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit_fold_now()")


def _begin(setting: str, using: str) -> None:
    """In a transaction of its own there is nothing to fold yet."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('audit.context', %s, true)", [setting])


def _enter(setting: str, using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit_enter(%s)", [setting])


def _announce() -> None:
    captured.send_robust(sender=Context)
