"""How far the database sink has read, kept with its rows. A partition belongs to the process with the newest token."""

from typing import NamedTuple

import psycopg
from psycopg.rows import TupleRow

from consumers.records import Partition


class Taken(NamedTuple):
    """A partition taken over: the offset to read next, and the token without which nothing is committed for it."""

    topic: str
    number: int
    topic_id: str
    offset: int
    token: int


class Reached(NamedTuple):
    """The next offset to read of a partition held under a token."""

    topic_id: str
    number: int
    token: int
    offset: int


_TAKE = """
    INSERT INTO consumers_sinkoffset AS known ("group", topic_id, topic, partition, "offset", token)
    SELECT %s, wanted.id, wanted.topic, wanted.partition, 0, 1
    FROM unnest(%s::text[], %s::text[], %s::int[]) AS wanted (id, topic, partition) ORDER BY 2, 4
    ON CONFLICT ("group", topic_id, partition) DO UPDATE SET token = known.token + 1
    RETURNING topic, partition, topic_id, "offset", token"""

_ADVANCE = """
    UPDATE consumers_sinkoffset AS known SET "offset" = reached.position
    FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS reached (id, partition, token, position)
    WHERE known."group" = %s AND known.topic_id = reached.id
    AND known.partition = reached.partition AND known.token = reached.token"""


def take(
    connection: psycopg.Connection[TupleRow], group: str, topic_ids: dict[str, str], partitions: list[Partition]
) -> list[Taken]:
    """Take over partitions, which voids the tokens of their holders. `topic_ids`: by topic. Raises psycopg.Error."""
    columns = (
        [topic_ids[topic] for topic, _ in partitions],
        [topic for topic, _ in partitions],
        [number for _, number in partitions],
    )
    return [Taken(*row) for row in connection.execute(_TAKE, (group, *columns)).fetchall()]


def advance(connection: psycopg.Connection[TupleRow], group: str, reached: list[Reached]) -> bool:
    """Record offsets reached; False if any token is void. Raises psycopg.Error."""
    columns = [list(column) for column in zip(*reached, strict=True)]
    return connection.execute(_ADVANCE, (*columns, group)).rowcount == len(reached)
