"""Which lanes there are, and when their number may change."""

from collections.abc import Callable

import psycopg

from audittrail import outbox
from consumers.database import count
from consumers.relay.store import LanesInUse

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('audit relay lanes'))"
_KNOWN = "SELECT count(*) FROM consumers_relaylane"
_BUSY = "SELECT count(*) FROM consumers_relaylane WHERE intent IS NOT NULL OR expires_at > now()"
_PENDING_COUNTED = 1000
"""Pending events are counted up to this number."""
_REMOVE = "DELETE FROM consumers_relaylane WHERE lane >= %(lanes)s"
_FENCE = "UPDATE consumers_relaylane SET token = token + 1, holder = '', expires_at = NULL"
_ADD = "INSERT INTO consumers_relaylane (lane, holder, token, done) VALUES (%(lane)s, '', 0, %(done)s)"


def ensure_lanes(connection: psycopg.Connection, lanes: int, number_of: Callable[[int], int | None]) -> None:
    """Make the lanes 0 … lanes - 1, where there are none or another number of them.

    `number_of` gives a lane's batch number in Kafka: a lane that existed before goes on counting from there. Their
    number changes only while nothing is under way, since an article may move to another lane. Raises LanesInUse.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        known = count(connection, _KNOWN)
        if known == lanes:
            return
        if known:
            _require_drained(connection, known, lanes)
            connection.execute(_REMOVE, {"lanes": lanes})
            connection.execute(_FENCE)
        for lane in range(known, lanes):
            connection.execute(_ADD, {"lane": lane, "done": (number_of(lane) or 0) if known else 0})


def _require_drained(connection: psycopg.Connection, known: int, lanes: int) -> None:
    pending = count(connection, outbox.COUNT_PENDING, {"limit": _PENDING_COUNTED})
    busy = count(connection, _BUSY)
    if pending or busy:
        raise LanesInUse(
            f"AUDIT_RELAY_LANES={lanes}, but {known} lanes are in use: {pending} events wait, "
            f"{busy} lanes are held or in mid-batch. "
            f"Let the relay publish them with AUDIT_RELAY_LANES={known}, stop all its processes, and then change it."
        )
