"""Celery tasks that change articles: on behalf of the actor who asked for them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypedDict

from celery import Task, current_task
from celery.signals import before_task_publish

from audittrail.capture.acting import Actor, Context, Origin, current
from audittrail.capture.context import context

if TYPE_CHECKING:
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

    The sender's context goes along however it is sent: also as a part of a chain, group or chord, by a task of any
    kind, as a link, retried or replaced.  Called in this process (directly, by apply() or eagerly) it acts for the
    context around it.  Without any context (sent by beat, from a shell), it acts as the service of its own name.  It
    runs in one transaction.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        sender = _sender_of(self.request) or current() or Context(Actor("service", self.name))
        origin = {**asdict(sender.origin), "channel": "task"}
        with context(actor=sender.actor, **origin):
            return super().__call__(*args, **kwargs)


@before_task_publish.connect(dispatch_uid="audittrail.capture.task")
def send_context(headers: dict[str, Any] | None = None, **_: object) -> None:
    """Give a message the context in which it is sent, or that of the task that has just run: Celery sends what follows
    a task when its code has returned.
    """
    if headers is None or _HEADER in headers:
        return
    sender = current() or (_sender_of(current_task.request) if current_task else None)
    if sender:
        headers[_HEADER] = _as_header(sender)


def _sender_of(request: Any) -> Context | None:
    """The context that a message brought; headers are attributes of a task's request."""
    sent: SentContext | None = (request.headers or {}).get(_HEADER) or request.get(_HEADER)
    return _received(sent) if sent else None


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
