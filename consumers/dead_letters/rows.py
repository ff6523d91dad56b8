"""Dead letters to rows of consumers_deadletter, each once."""

from collections.abc import Iterable
from typing import Any

import orjson
import psycopg

_COLUMNS = [
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
]

_INSERT = f"""
    INSERT INTO consumers_deadletter ({", ".join(_COLUMNS)})
    VALUES ({", ".join(["%s"] * len(_COLUMNS))})
    ON CONFLICT DO NOTHING"""  # noqa: S608 - of the names above


def store_letters(connection: psycopg.Connection[Any], letters: Iterable[dict[str, Any]]) -> None:
    """Add the dead letters that are not there yet. Raises psycopg.Error."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, [_row(letter) for letter in letters])


def _row(letter: dict[str, Any]) -> tuple[object, ...]:
    origin = letter["origin"]
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
        _json(letter["headers"]),
        letter["value"],
        _json(letter.get("payload")),
        letter.get("article_id"),
        letter.get("sequence"),
        letter["failed_at"],
    )


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
