"""How the clients of Kafka are configured: one function for each kind."""

import logging
from collections.abc import Callable
from functools import cache

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers import conf

log = logging.getLogger("consumers.kafka")

SOCKET_TIMEOUT_MS = 10_000
LARGEST_MESSAGE = 2 * 1024 * 1024
"""Bytes a producer lets pass: a dead letter may hold the key and headers of a message of 1 MiB, encoded. Batches stay
at 64 KiB.
"""


Setting = str | int | float | bool | Callable[..., None]
"""A value of the client's configuration."""


def _common() -> dict[str, Setting]:
    return {
        "bootstrap.servers": conf.kafka_bootstrap_servers(),
        "socket.timeout.ms": SOCKET_TIMEOUT_MS,
        "reconnect.backoff.max.ms": 2_000,
        "error_cb": lambda error: log.warning("Kafka: %s", error),
    }


@cache
def admin() -> AdminClient:
    """The process's admin client."""
    return AdminClient(_common())  # type: ignore[arg-type]  # its type leaves out callbacks, which it takes


def consumer(group: str, member: str) -> Consumer:
    """A static member of a group: classic protocol, cooperative, reading what is committed, committing only on request.

    Static members under the newer group protocol wait for their predecessor's session to end after a SIGKILL; classic
    ones take over.
    """
    return Consumer(
        _common()
        | {
            "group.id": group,
            "group.instance.id": member,
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "on_commit": _log_failed_commit,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": int(conf.session_timeout_seconds() * 1000),
            "heartbeat.interval.ms": min(3000, int(conf.session_timeout_seconds() * 300)),
            "queued.max.messages.kbytes": conf.fetch_buffer_kilobytes(),
            "fetch.max.bytes": conf.fetch_buffer_kilobytes() * 1024,
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 100,
            # A group whose topics vanished, as with a lost cluster, sees them again only when it asks; the default is
            # five minutes.
            "topic.metadata.refresh.interval.ms": 10_000,
        }
    )


def _log_failed_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
    """Log a commit that failed; the group itself says what was taken from this member."""
    for reason in {str(found) for found in [error, *(each.error for each in partitions)] if found}:
        log.warning("offsets not committed: %s", reason)


def producer(**settings: Setting) -> Producer:
    """An idempotent producer."""
    return Producer(
        _common()
        | {
            "enable.idempotence": True,
            "acks": "all",
            "max.in.flight.requests.per.connection": 5,
            "compression.type": "lz4",
            "linger.ms": 10,
            "batch.size": 65_536,
            "queue.buffering.max.kbytes": 65_536,
            "message.max.bytes": LARGEST_MESSAGE,
            "retry.backoff.ms": 20,
        }
        | settings
    )


def transactional_producer(transactional_id: str, **settings: Setting) -> Producer:
    """A producer of transactions, not yet initialised; delivery is reported where it failed.

    A small retry.backoff.ms matters: a transaction is begun again and again until the one before it is written.
    Measured with 20 events each: 383 events a second at 20 ms, 570 at 5, 487 at 2; the default is 100.
    """
    own: dict[str, Setting] = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(conf.transaction_timeout_seconds() * 1000),
        "retry.backoff.ms": 5,
        "delivery.report.only.error": True,
    }
    return producer(**own, **settings)


def offsets_only(group: str) -> Consumer:
    """A consumer that never joins its group: it reads and commits positions that mean something to its owner alone."""
    return Consumer(_common() | {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed"})


@cache
def offsets_reader(group: str) -> Consumer:
    """The process's reader of a group's committed offsets, without waiting for transactions under way."""
    return Consumer(_common() | {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted"})


def forget() -> None:
    """Have the process's cached clients made anew when they are next asked for: one that once failed may go on failing
    where a new one would be answered.
    """
    admin.cache_clear()
    offsets_reader.cache_clear()


def assigned_reader(purpose: str) -> Consumer:
    """A consumer that joins no group: its owner assigns partitions, and it says when it has come to the end of one."""
    return Consumer(
        _common()
        | {
            "group.id": f"{conf.prefix()}{purpose}",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "auto.offset.reset": "earliest",
        }
    )
