"""Celery tasks that change articles: on behalf of the actor who asked for them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypedDict

from celery import Task

from audittrail.capture.context import Actor, Context, Origin, context, current

if TYPE_CHECKING:
    from celery.result import AsyncResult

    AnyTask = Task[Any, Any]  # of whatever arguments and result
else:
    AnyTask = Task

_HEADER = "audit_context"


class SentContext(TypedDict):
    """A context as a message carries it: the fields of its actor and of its origin."""

    actor: dict[str, Any]
    origin: dict[str, str | None]


class AuditedTask(AnyTask):
    """`@shared_task(base=AuditedTask)`: the task's changes belong to the actor and request that sent it, through
    channel `task`.

    Called in this process (directly, by apply() or eagerly) it acts for the context around it.  Without any context
    (sent by beat, from a shell), it acts as the service of its own name.  It runs in one transaction.
    """

    abstract = True

    def apply_async(
        self, *args: Any, headers: Mapping[str, object] | None = None, **options: Any
    ) -> "AsyncResult[Any]":
        """As Celery's, with the context of the sender in a header."""
        sender = current()
        sent: dict[str, Any] = dict(headers or {})
        if sender:
            sent[_HEADER] = _as_header(sender)
        return super().apply_async(*args, headers=sent, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sent: SentContext | None = (self.request.headers or {}).get(_HEADER) or self.request.get(_HEADER)
        sender = _received(sent) if sent else current() or Context(Actor("service", self.name))
        origin = {**asdict(sender.origin), "channel": "task"}
        with context(actor=sender.actor, **origin):
            return super().__call__(*args, **kwargs)


def _as_header(sender: Context) -> SentContext:
    return {"actor": asdict(sender.actor), "origin": asdict(sender.origin)}


def _received(header: SentContext) -> Context:
    """Raises ValueError, naming the header, for what no AuditedTask sends."""
    try:
        return Context(Actor(**header["actor"]), Origin(**header["origin"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"the message's header {_HEADER} is no context ({error}): send the task through AuditedTask"
        ) from error
