"""Dead letters as rows of DeadLetter: the statement of the database sink."""

from collections.abc import Iterable

import orjson
import psycopg

from consumers.dead_letters.wire_format import Letter

_COLUMNS = (
    "id",
    "stage",
    "reason",
    "detail",
    "origin_topic",
    "origin_partition",
    "origin_offset",
    "origin_timestamp",
    "key",
    "headers",
    "value",
    "payload",
    "article_id",
    "sequence",
    "failed_at",
)
_INSERT = f"""
    INSERT INTO consumers_deadletter ({", ".join(_COLUMNS)})
    VALUES ({", ".join(["%s"] * len(_COLUMNS))})
    ON CONFLICT DO NOTHING"""  # noqa: S608  names of columns only


def store_letters(connection: psycopg.Connection, letters: Iterable[Letter]) -> None:
    """Add the dead letters that are not there yet. Raises psycopg.Error."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_row(letter) for letter in letters])


def _row(letter: Letter) -> tuple[object, ...]:
    """The values of a letter, in the order of _COLUMNS."""
    origin, payload = letter["origin"], letter.get("payload")
    return (
        letter["dead_letter_id"],
        letter["stage"],
        letter["reason"],
        letter["detail"].replace("\0", "␀"),
        origin["topic"],
        origin["partition"],
        origin["offset"],
        origin["timestamp"],
        letter["key"],
        orjson.dumps(letter["headers"]).decode(),
        letter["value"],
        None if payload is None else orjson.dumps(payload).decode(),
        letter.get("article_id"),
        letter.get("sequence"),
        letter["failed_at"],
    )
