"""Refilling an empty Kafka from the outbox, after a cluster was lost.

The outbox keeps what it published until database and archive have it. What they have already they recognise: rows and
documents by article and sequence, archive objects by the topic's id.
"""

import psycopg

from audittrail import outbox
from consumers import conf, database
from consumers.kafka import clients, consumer_lag

_HELD = "SELECT count(*) FROM consumers_relaylane WHERE expires_at > now()"
_FORGET = """
UPDATE consumers_relaylane
SET done = 0, intent = NULL, rows = NULL, token = token + 1, holder = '', expires_at = NULL"""


class NotEmpty(Exception):
    """Refilling would double events; the text says what is in the way and what to do."""


def republish() -> int:
    """Have the relay publish the whole outbox again, into an empty topic; how many rows. Raises NotEmpty,
    KafkaException.
    """
    _require_empty_topic()
    with database.connect() as connection, connection.transaction():
        _require_no_relay(connection)
        connection.execute(_FORGET)
        return connection.execute(outbox.REARM_ALL).rowcount


def _require_empty_topic() -> None:
    within = consumer_lag.bounds(clients.admin(), [conf.raw_topic()])
    if not within.end:
        raise NotEmpty(
            f"There is no topic {conf.raw_topic()}: make it with manage.py create_topics, "
            "and register_schemas if the registry is new."
        )
    if None in within.end.values():
        raise NotEmpty(
            f"Some partitions of {conf.raw_topic()} have no leader: wait for the cluster, then run this again."
        )
    if filled := sum(1 for end in within.end.values() if end):
        raise NotEmpty(
            f"{conf.raw_topic()} holds, or held, messages in {filled} partitions: "
            "refilling is for a new topic. Delete and create it anew."
        )


def _require_no_relay(connection: psycopg.Connection) -> None:
    if held := database.count(connection, _HELD):
        raise NotEmpty(f"{held} lanes are held by a relay: stop the relay, wait ten seconds, then run this again.")
