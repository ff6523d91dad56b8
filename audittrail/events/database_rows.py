"""Rows of audittrail_auditevent: enriched events written to the table and read from it, both by one table of columns.

A field of the event has a column of its own name, or is made of the columns that _SPREAD lists. Importing this module
checks that the model has exactly these columns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import orjson
import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BinaryField, JSONField
from psycopg.rows import TupleRow

from audittrail.events.event import (
    ENRICHED_FIELDS,
    PROFILE_FIELDS,
    ActorProfile,
    ActorType,
    EnrichedEvent,
    EventActor,
    PayloadReference,
)
from audittrail.events.event_json import as_json
from audittrail.events.field_check import require_same_fields
from audittrail.models import AuditEvent


class _Spread(NamedTuple):
    """A field that no single column holds as it is: its columns, and its value to theirs and back."""

    columns: tuple[str, ...]
    to_columns: Callable[[Any], Sequence[object]]
    from_columns: Callable[..., object]


def _actor_to_columns(actor: EventActor) -> Sequence[object]:
    return actor["type"], actor["id"], actor["version"]


def _actor(actor_type: ActorType, identity: str | None, version: int | None) -> EventActor:
    """A snapshot is kept in the event's profile only."""
    return {"type": actor_type, "id": identity, "version": version, "snapshot": None}


def _profile_to_columns(profile: ActorProfile | None) -> Sequence[object]:
    return ("",) * len(PROFILE_FIELDS) if profile is None else [profile.get(name, "") for name in PROFILE_FIELDS]


def _profile(*parts: str) -> ActorProfile | None:
    return cast(ActorProfile, dict(zip(PROFILE_FIELDS, parts, strict=True))) if any(parts) else None


def _payload_to_columns(payload: PayloadReference | None) -> Sequence[object]:
    return ({"sha256": payload["sha256"].hex(), "size": payload["size"]} if payload else None,)


def _payload(stored: dict[str, Any] | None) -> PayloadReference | None:
    return {"sha256": bytes.fromhex(stored["sha256"]), "size": stored["size"]} if stored else None


_SPREAD = {
    "actor": _Spread(("actor_type", "actor_id", "actor_version"), _actor_to_columns, _actor),
    "actor_profile": _Spread(tuple(f"actor_{name}" for name in PROFILE_FIELDS), _profile_to_columns, _profile),
    "payload": _Spread(("payload",), _payload_to_columns, _payload),
}
_OWN = [name for name in ENRICHED_FIELDS if name not in _SPREAD]
_STORED_AT = "stored_at"
COLUMNS: tuple[str, ...] = (*_OWN, *(name for spread in _SPREAD.values() for name in spread.columns))
"""Names of the columns that hold an event; the table has `stored_at` in addition, the time of writing."""

_MODEL = {field.attname: field for field in AuditEvent._meta.concrete_fields}
require_same_fields(
    (*COLUMNS, _STORED_AT),
    "the columns of an enriched event (audittrail.events.database_rows)",
    _MODEL,
    "audittrail.models.AuditEvent",
    remedy="give the model what the event has, with a migration",
)
# Places in COLUMNS: of JSON, of bytes, and of each field that is spread over columns.
_JSON = [place for place, name in enumerate(COLUMNS) if isinstance(_MODEL[name], JSONField)]
_BINARY = [place for place, name in enumerate(COLUMNS) if isinstance(_MODEL[name], BinaryField)]
_PLACES = {
    name: slice(start := COLUMNS.index(spread.columns[0]), start + len(spread.columns))
    for name, spread in _SPREAD.items()
}


# Writing

_ALL = ", ".join((*COLUMNS, _STORED_AT))

CREATE_INCOMING = """
    CREATE TEMP TABLE IF NOT EXISTS incoming (LIKE audittrail_auditevent, number int, original jsonb)
    ON COMMIT DELETE ROWS"""
"""Run once in a session before `store_events`."""

_COPY = f"COPY incoming (number, original, {_ALL}) FROM STDIN"

_INSERT = f"""
    INSERT INTO audittrail_auditevent ({_ALL})
    SELECT {_ALL} FROM incoming ORDER BY article_id, sequence, number
    ON CONFLICT DO NOTHING"""  # noqa: S608 - names of columns

_RECORD_FORKS = """
    INSERT INTO audittrail_fork (article_id, sequence, known_hash, other_hash, other_event, found_in, found_at)
    SELECT i.article_id, i.sequence, e.hash, i.hash, i.original, 'database', now()
    FROM incoming i JOIN audittrail_auditevent e USING (article_id, sequence)
    WHERE e.hash <> i.hash
    ON CONFLICT DO NOTHING"""

# An event's identity that belongs to another event already: a forgery, or a broken source.
_DUPLICATE_EVENT_IDS = """
    SELECT i.number FROM incoming i LEFT JOIN audittrail_auditevent e USING (article_id, sequence)
    WHERE e.event_id IS NULL"""


def store_events(connection: psycopg.Connection[TupleRow], events: Iterable[EnrichedEvent]) -> list[int]:
    """Add the events that are not there yet, and record those that contradict what is there as forks.

    Returns the numbers (from 0) of events whose `event_id` another event has: they are not stored. Run in a
    transaction, in a session that has run CREATE_INCOMING. Raises psycopg.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM incoming")
        with cursor.copy(_COPY) as copy:
            for number, event in enumerate(events):
                copy.write_row((number, as_json(event).decode(), *_row(event), datetime.now(UTC)))
        cursor.execute(_INSERT)
        cursor.execute(_RECORD_FORKS)
        return [number for (number,) in cursor.execute(_DUPLICATE_EVENT_IDS).fetchall()]


def _row(event: EnrichedEvent) -> list[object]:
    """Values of COLUMNS, JSON as text."""
    fields = cast(dict[str, object], event)
    values = [fields[name] for name in _OWN]
    for name, spread in _SPREAD.items():
        values += spread.to_columns(fields[name])
    for place in _JSON:
        if (value := values[place]) is not None:
            values[place] = orjson.dumps(value).decode()
    return values


# Reading

_CHUNK = 1000


def event_of(row: AuditEvent) -> EnrichedEvent:
    """The enriched event of a row; a payload is referred to, not resolved. The actor's snapshot is in its profile."""
    (event,) = _events([(getattr(row, name),) for name in COLUMNS])
    return event


def events(
    condition: str = "true", parameters: Sequence[str | int | list[str] | list[int]] = (), using: str = DEFAULT_DB_ALIAS
) -> Iterator[EnrichedEvent]:
    """Events by article and sequence, a chunk at a time and without models: for reading all of a long trail.

    `condition`: SQL over audittrail_auditevent e.  Runs in the caller's transaction, if there is one.
    """
    columns = ", ".join(f"e.{name}" for name in COLUMNS)
    statement = f"""
        SELECT {columns} FROM audittrail_auditevent e WHERE {condition} ORDER BY e.article_id, e.sequence
    """  # noqa: S608 - the condition is the caller's own text
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_CHUNK):
            yield from _events(_parsed(list(zip(*rows, strict=True))))


def _parsed(columns: list[Sequence[Any]]) -> list[Sequence[Any]]:
    """Columns whose JSON is text, with their JSON as objects."""
    for place in _JSON:
        columns[place] = [None if text is None else orjson.loads(text) for text in columns[place]]
    return columns


def _events(columns: list[Sequence[Any]]) -> Iterator[EnrichedEvent]:
    """The events in rows given as the values of each of COLUMNS. Column by column, which is faster than row by row."""
    fields: dict[str, Iterable[object]] = dict(zip(_OWN, columns, strict=False))
    for place in _BINARY:
        fields[COLUMNS[place]] = map(bytes, columns[place])
    for name, spread in _SPREAD.items():
        fields[name] = map(spread.from_columns, *columns[_PLACES[name]])
    for values in zip(*fields.values(), strict=True):
        yield cast(EnrichedEvent, dict(zip(fields, values, strict=True)))
