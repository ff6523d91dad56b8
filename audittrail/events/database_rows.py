"""Rows of the database back into events, as the codec gives them."""

from collections.abc import Iterator

import orjson
from django.db import DEFAULT_DB_ALIAS, connections

from audittrail.models import AuditEvent

_SAME = [
    "event_id",
    "article_id",
    "kind",
    "sequence",
    "operation",
    "title",
    "status",
    "occurred_at",
    "recorded_at",
    "context",
    "changes",
    "labels",
    "keyframe",
    "amendments",
    "schema_version",
    "action",
    "words_added",
    "words_removed",
]
_BYTES = ("salt", "state_digest", "previous_hash", "hash")
_PROFILE = ("name", "byline", "role", "desk")


def event_of(row: AuditEvent) -> dict:
    """The enriched event of a row; a payload is referred to, not resolved. An actor's snapshot is in its profile
    only.
    """
    profile = {name: getattr(row, f"actor_{name}") for name in _PROFILE}
    return {
        **{name: getattr(row, name) for name in _SAME},
        **{name: bytes(getattr(row, name)) for name in _BYTES},
        "actor": {"type": row.actor_type, "id": row.actor_id, "version": row.actor_version, "snapshot": None},
        "actor_profile": profile if any(profile.values()) else None,
        "payload": row.payload and {"sha256": bytes.fromhex(row.payload["sha256"]), "size": row.payload["size"]},
    }


_COLUMNS = (
    "event_id article_id kind sequence operation title status occurred_at recorded_at actor_type actor_id actor_version "
    "actor_name actor_byline actor_role actor_desk context changes labels keyframe salt state_digest previous_hash hash "
    "action words_added words_removed payload schema_version amendments"
)
_CHUNK = 1000


def events(condition: str = "true", parameters: list | None = None, using: str = DEFAULT_DB_ALIAS) -> Iterator[dict]:
    """Events by article and sequence, a chunk at a time and without models: for reading all of a long trail.

    `condition`: SQL over audittrail_auditevent e.  Runs in the caller's transaction, if there is one.
    """
    statement = f"SELECT {', '.join('e.' + name for name in _COLUMNS.split())} FROM audittrail_auditevent e WHERE {condition} ORDER BY e.article_id, e.sequence"
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(statement, parameters or [])
        while rows := cursor.fetchmany(_CHUNK):
            yield from (_event(*row) for row in rows)


def _event(event_id, article_id, kind, sequence, operation, title, status, occurred_at, recorded_at, actor_type, actor_id, actor_version,
           name, byline, role, desk, context, changes, labels, keyframe, salt, state_digest, previous_hash, hash_,
           action, words_added, words_removed, payload, schema_version, amendments) -> dict:  # fmt: skip
    profile = {"name": name, "byline": byline, "role": role, "desk": desk}
    place = orjson.loads(payload) if payload else None
    return {
        "event_id": event_id,
        "article_id": article_id,
        "kind": kind,
        "sequence": sequence,
        "operation": operation,
        "title": title,
        "status": status,
        "occurred_at": occurred_at,
        "recorded_at": recorded_at,
        "actor": {"type": actor_type, "id": actor_id, "version": actor_version, "snapshot": None},
        "context": orjson.loads(context),
        "changes": orjson.loads(changes),
        "labels": orjson.loads(labels),
        "keyframe": orjson.loads(keyframe) if keyframe else None,
        "salt": bytes(salt),
        "state_digest": bytes(state_digest),
        "previous_hash": bytes(previous_hash),
        "hash": bytes(hash_),
        "action": action,
        "actor_profile": profile if any(profile.values()) else None,
        "words_added": words_added,
        "words_removed": words_removed,
        "payload": place and {"sha256": bytes.fromhex(place["sha256"]), "size": place["size"]},
        "schema_version": schema_version,
        "amendments": orjson.loads(amendments),
    }
