"""Celery tasks that change articles: on behalf of whoever asked for them."""

from celery import Task

from audittrail.capture.context import Actor, Context, Origin, context, current

_HEADER = "audit_context"


class AuditedTask(Task):
    """`@shared_task(base=AuditedTask)`: the task's changes belong to the actor and request that sent it, through
    channel `task`.

    Sent by nobody in particular (by beat, from a shell), it acts as the service of its own name.  It runs in one
    transaction.
    """

    abstract = True

    def apply_async(self, args=None, kwargs=None, headers=None, **options):
        sender = current()
        carried = {_HEADER: _as_header(sender)} if sender else {}
        return super().apply_async(args, kwargs, headers={**(headers or {}), **carried}, **options)

    def __call__(self, *args, **kwargs):
        sent = (self.request.headers or {}).get(_HEADER) or self.request.get(_HEADER)
        actor, origin = _from_header(sent) if sent else (Actor("service", self.name), {})
        with context(actor=actor, **{**origin, "channel": "task"}):
            return super().__call__(*args, **kwargs)


def _as_header(sender: Context) -> dict:
    actor, origin = sender.actor, sender.origin
    return {
        "actor": {"type": actor.type, "id": actor.id, "snapshot": actor.snapshot},
        "origin": {name: getattr(origin, name) for name in Origin.__slots__},
    }


def _from_header(sent: dict) -> tuple[Actor, dict]:
    return Actor(**sent["actor"]), sent["origin"]
