"""One process of a stage, put together: real clients, a heartbeat, signals."""

import signal
import time
from collections.abc import Callable
from functools import partial

from consumers import conf
from consumers.dead_letters import wire_format
from consumers.kafka import clients, topics
from consumers.kafka.schema_registry import schemas
from consumers.messages.authenticity import keyring
from consumers.runtime import delivery, metrics
from consumers.runtime.heartbeat import Heartbeat
from consumers.runtime.liveness import TurnDeadline
from consumers.runtime.loop import Collaborators, Loop
from consumers.runtime.shutdown import Shutdown
from consumers.runtime.stage import Stage
from consumers.runtime.stage_spec import StageSpec

TOPIC_IDS_SECONDS = 3.0
"""How long Kafka may take to answer with the ids of topics."""


def run_stage(spec: StageSpec, slot: int) -> None:
    """Work as the process in `slot`, counted from 1, until SIGTERM, SIGINT or an admin's stop. Raises Fenced."""
    deadline = TurnDeadline(conf.turn_seconds())
    loop = make_loop(spec.make_stage(), slot, deadline.turned)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    metrics.serve(spec, slot)
    try:
        loop.run()
    finally:
        deadline.lift()


def make_loop(stage: Stage, slot: int, turned: Callable[[], None] = lambda: None) -> Loop:
    """A loop on real services, as the member of the stage's group that has this slot; it says when it turns."""
    member = conf.member(stage.member, slot)
    shutdown = Shutdown(time)
    consumer = clients.consumer(stage.group, member)
    return Loop(
        stage,
        Collaborators(
            consumer=consumer,
            delivery=delivery.make_delivery(consumer, stage.name, member, shutdown.remaining),
            control=Heartbeat(stage.name, slot),
            make_dead_letter_writer=lambda: wire_format.Writer(stage.name, schemas()),
            keyring=keyring(),
            topic_ids=partial(topics.ids, clients.admin(), timeout=TOPIC_IDS_SECONDS),
            shutdown=shutdown,
            clock=time,
            turned=turned,
        ),
    )
