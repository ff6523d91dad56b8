"""A lane's side in PostgreSQL: its lease, its intent, and the outbox rows it publishes.

Every change holds only while the lease's token is the lane's: a predecessor that was frozen and wakes up changes
nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from audittrail import outbox
from audittrail.capture import outbox_rows
from audittrail.capture.outbox_rows import OutboxRow
from consumers.relay.recovery import Progress

LEASE_SECONDS = 10
WAKE_CHANNEL = "audit_relay_wake"


class LeaseLost(Exception):
    """Another process holds the lane now."""


class LanesInUse(Exception):
    """The number of lanes cannot change yet."""


@dataclass(frozen=True, slots=True)
class LaneLease:
    """The right to publish a lane, until another process takes a higher token."""

    lane: int
    token: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """An outbox row that violates the contract, and why."""

    row_id: int
    article_id: str
    reason: str


_ACQUIRE = """
UPDATE consumers_relaylane
SET holder = %(holder)s, token = token + 1, expires_at = now() + make_interval(secs => %(seconds)s)
WHERE lane = %(lane)s AND (holder IN ('', %(holder)s) OR expires_at < now()) RETURNING token"""
_RENEW = """
UPDATE consumers_relaylane SET expires_at = now() + make_interval(secs => %(seconds)s)
WHERE lane = %(lane)s AND token = %(token)s AND holder <> ''"""
_RELEASE = "UPDATE consumers_relaylane SET holder = '', expires_at = NULL WHERE lane = %(lane)s AND token = %(token)s"
_PROGRESS = "SELECT done, intent, rows FROM consumers_relaylane WHERE lane = %(lane)s AND token = %(token)s"
_INTEND = """
UPDATE consumers_relaylane SET intent = done + 1, rows = to_jsonb(%(rows)s::bigint[])
WHERE lane = %(lane)s AND token = %(token)s RETURNING intent"""
_ABANDON = "UPDATE consumers_relaylane SET intent = NULL, rows = NULL WHERE lane = %(lane)s AND token = %(token)s"
_FINISH = """
UPDATE consumers_relaylane AS lane SET done = lane.intent, intent = NULL, rows = NULL
FROM (SELECT rows FROM consumers_relaylane WHERE lane = %(lane)s AND token = %(token)s FOR UPDATE) AS batch
WHERE lane.lane = %(lane)s AND lane.token = %(token)s AND lane.intent IS NOT NULL
RETURNING ARRAY(SELECT jsonb_array_elements_text(batch.rows)::bigint)"""


class LaneStore:
    """One connection of the pipeline's role, for one lane of `lanes`."""

    def __init__(self, connection: psycopg.Connection, lanes: int):
        self._connection, self._lanes = connection, lanes
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(f"LISTEN {WAKE_CHANNEL}")

    def acquire(self, lane: int, holder: str) -> LaneLease | None:
        """The lane's lease, or None while another process holds it. A holder takes its own over at once."""
        row = self._execute(_ACQUIRE, lane=lane, holder=holder, seconds=LEASE_SECONDS).fetchone()
        return LaneLease(lane, row[0]) if row else None

    def release(self, lease: LaneLease) -> None:
        self._execute(_RELEASE, lane=lease.lane, token=lease.token)

    def progress(self, lease: LaneLease) -> Progress:
        """Raises LeaseLost."""
        row = self._execute(_PROGRESS, lane=lease.lane, token=lease.token).fetchone()
        if row is None:
            raise LeaseLost
        done, intent, rows = row
        return Progress(done, intent, tuple(rows or ()))

    def pending(self, lease: LaneLease, limit: int, max_bytes: int) -> list[int]:
        """Ids of the rows to publish next, oldest first: at most `limit`, and `max_bytes` of stored content (one row at
        least).
        """
        chosen: list[int] = []
        total = 0
        for row_id, size in self._execute(outbox.PENDING_OF_LANE, lane=lease.lane, lanes=self._lanes, limit=limit):
            total += size
            if chosen and total > max_bytes:
                break
            chosen.append(row_id)
        return chosen

    def rows(self, ids: Iterable[int]) -> list[OutboxRow]:
        """Outbox rows by id, in the order of their ids."""
        with self._connection.cursor() as cursor:
            return outbox_rows.read(cursor, ids)

    def intend(self, lease: LaneLease, ids: list[int], refused: list[Refusal]) -> int | None:
        """Commit the next batch (None: no row of it is valid) and set the refused rows aside; gives its number. Raises
        LeaseLost.
        """
        with self._connection.transaction():
            number = self._intend(lease, ids)
            for refusal in refused:
                self._execute(outbox.SET_ASIDE, id=refusal.row_id, reason=refusal.reason)
                self._execute("SELECT audit_request_keyframe(%(article_id)s)", article_id=refusal.article_id)
        return number

    def _intend(self, lease: LaneLease, ids: list[int]) -> int | None:
        if not ids:
            self._change(_ABANDON, lease)
            return None
        number: int
        ((number,),) = self._change(_INTEND, lease, rows=ids).fetchall()
        return number

    def finish(self, lease: LaneLease) -> int:
        """Mark the batch under way as published; gives its number of rows. Raises LeaseLost."""
        with self._connection.transaction():
            ((rows,),) = self._change(_FINISH, lease).fetchall()
            self._execute(outbox.MARK_PUBLISHED, rows=rows)
        return len(rows)

    def wait(self, seconds: float) -> None:
        """Wait for a wake, `seconds` at most."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    def _change(self, statement: str, lease: LaneLease, **parameters: object) -> psycopg.Cursor:
        cursor = self._execute(statement, lane=lease.lane, token=lease.token, **parameters)
        if cursor.rowcount == 0:
            raise LeaseLost
        return cursor

    def _execute(self, statement: str, **parameters: object) -> psycopg.Cursor:
        return self._connection.execute(statement, parameters)


def renew(connection: psycopg.Connection, leases: Iterable[LaneLease]) -> None:
    """Prolong leases; one that was lost is left alone, as its lane will notice."""
    for lease in leases:
        connection.execute(_RENEW, {"lane": lease.lane, "token": lease.token, "seconds": LEASE_SECONDS})
