"""How events become rows: the columns, and the statements of the database sink."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import orjson
import psycopg

from consumers.records import Partition


def _json(value) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _hexadecimal(value) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value))


def _actor(name: str) -> Callable[[dict], str]:
    return lambda event: (event["actor_profile"] or {}).get(name, "")


def _same(name: str) -> Callable[[dict], object]:
    return lambda event: event[name]


_EVENT: dict[str, Callable[[dict], object]] = {
    **{
        name: _same(name)
        for name in [
            "event_id",
            "article_id",
            "kind",
            "sequence",
            "operation",
            "title",
            "status",
            "occurred_at",
            "recorded_at",
            "salt",
            "state_digest",
            "previous_hash",
            "hash",
            "action",
            "words_added",
            "words_removed",
            "schema_version",
        ]
    },
    "actor_type": lambda event: event["actor"]["type"],
    "actor_id": lambda event: event["actor"]["id"],
    "actor_version": lambda event: event["actor"]["version"],
    **{f"actor_{name}": _actor(name) for name in ("name", "byline", "role", "desk")},
    **{
        name: lambda event, name=name: _json(event[name])
        for name in ("context", "changes", "labels", "keyframe", "amendments")
    },
    "payload": lambda event: _json(
        event["payload"] and {"sha256": event["payload"]["sha256"].hex(), "size": event["payload"]["size"]}
    ),
    "stored_at": lambda event: datetime.now(UTC),
}
_COLUMNS = ", ".join(_EVENT)

CREATE_INCOMING = "CREATE TEMP TABLE IF NOT EXISTS incoming (LIKE audittrail_auditevent, number int, original jsonb) ON COMMIT DELETE ROWS"

_COPY = f"COPY incoming (number, original, {_COLUMNS}) FROM STDIN"

_INSERT = f"""
    INSERT INTO audittrail_auditevent ({_COLUMNS})
    SELECT {_COLUMNS} FROM incoming ORDER BY article_id, sequence, number
    ON CONFLICT DO NOTHING"""

_FORKS = """
    INSERT INTO audittrail_fork (article_id, sequence, known_hash, other_hash, other_event, found_in, found_at)
    SELECT i.article_id, i.sequence, e.hash, i.hash, i.original, 'database', now()
    FROM incoming i JOIN audittrail_auditevent e USING (article_id, sequence)
    WHERE e.hash <> i.hash
    ON CONFLICT DO NOTHING"""

# An event's identity that belongs to another event already: a forgery, or a broken source.
_HOMELESS = """
    SELECT i.number FROM incoming i LEFT JOIN audittrail_auditevent e USING (article_id, sequence)
    WHERE e.event_id IS NULL"""


def store_events(connection: psycopg.Connection, events: Iterable[dict]) -> list[int]:
    """Add the events that are not there yet, and record those that contradict what is there as forks.

    Returns the numbers (from 0) of events whose `event_id` another event has: they are not stored. Run in a
    transaction. Raises psycopg.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM incoming")
        with cursor.copy(_COPY) as copy:
            for number, event in enumerate(events):
                copy.write_row((number, _original(event), *(column(event) for column in _EVENT.values())))
        cursor.execute(_INSERT)
        cursor.execute(_FORKS)
        return [number for (number,) in cursor.execute(_HOMELESS).fetchall()]


def _original(event: dict) -> str:
    return orjson.dumps(event, default=_hexadecimal).decode()


_TAKE = """
    INSERT INTO consumers_sinkoffset AS known ("group", topic_id, topic, partition, "offset", token)
    SELECT %s, wanted.id, wanted.topic, wanted.partition, 0, 1
    FROM unnest(%s::text[], %s::text[], %s::int[]) AS wanted (id, topic, partition) ORDER BY 2, 4
    ON CONFLICT ("group", topic_id, partition) DO UPDATE SET token = known.token + 1
    RETURNING topic, partition, topic_id, "offset", token"""

_ADVANCE = """
    UPDATE consumers_sinkoffset AS known SET "offset" = reached.position
    FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS reached (id, partition, token, position)
    WHERE known."group" = %s AND known.topic_id = reached.id AND known.partition = reached.partition AND known.token = reached.token"""


def take_positions(
    connection: psycopg.Connection, group: str, topic_ids: dict[str, str], partitions: list[Partition]
) -> list[tuple]:
    """Take over partitions: rows of (topic, partition, topic id, next offset, token); a predecessor's tokens are void
    from now on.
    """
    columns = (
        [topic_ids[topic] for topic, _ in partitions],
        [topic for topic, _ in partitions],
        [number for _, number in partitions],
    )
    return connection.execute(_TAKE, (group, *columns)).fetchall()


def advance(connection: psycopg.Connection, group: str, reached: list[tuple[str, int, int, int]]) -> bool:
    """Record offsets reached, as (topic id, partition, token, next offset); False if any token is void."""
    columns = [list(column) for column in zip(*reached, strict=True)]
    return connection.execute(_ADVANCE, (*columns, group)).rowcount == len(reached)


def is_unstorable(error: psycopg.Error) -> bool:
    """Whether it is the data that PostgreSQL refuses (a NUL, a number out of range, a key too long), and will refuse
    again.
    """
    return isinstance(error, psycopg.DataError) or (error.sqlstate or "")[:2] in ("22", "23", "54")
