"""Reads an editorial history: gzip, JSON Lines, one event a line, bodies whole or as unified diffs.

    for event in read("history.jsonl.gz"):
        event.article_id, event.revision, event.body

Raises HistoryError for whatever is not as it should be, naming the line and the field.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from audittrail.contracts.validation import EARLIEST, LATEST
from newsroom.history.patch import PatchError, apply_patch

TEXT, NUMBER, TRUTH, NOTHING = "a text", "a whole number", "true or false", "null"
ACTIONS = ("created", "edited", "status_changed", "published", "deleted")

# Field → what it may be. Those of _OPTIONAL may be absent.
_FIELDS: dict[str, tuple[str, ...]] = {
    "seq": (NUMBER,),
    "article_id": (TEXT,),
    "revision": (NUMBER,),
    "action": (TEXT,),
    "occurred_at": (TEXT,),
    "recorded_at": (TEXT,),
    "author": ("an object with id and name",),
    "commit": (TEXT,),
    "message": (TEXT,),
    "commit_articles": (NUMBER,),
    "title": (TEXT, NOTHING),
    "status": (TEXT, NOTHING),
    "section": (TEXT, NOTHING),
    "byline": ("a list of names",),
    "previous_status": (TEXT, NOTHING),
    "path": (TEXT, NOTHING),
    "previous_path": (TEXT, NOTHING),
    "changed": ("a list of names",),
    "first_publication": (TRUTH,),
    "merge": (TRUTH,),
    "parallel": (TRUTH,),
    "lines_added": (NUMBER,),
    "lines_removed": (NUMBER,),
    "body_sha256": (TEXT, NOTHING),
    "body": (TEXT, NOTHING),
    "patch": (TEXT,),
}
_REQUIRED = (
    "article_id",
    "revision",
    "action",
    "occurred_at",
    "author",
    "title",
    "status",
    "section",
    "path",
    "body_sha256",
)


Record = dict[str, Any]
"""A line of the file, once its fields are checked."""


class HistoryError(Exception):
    """The file is not a history that can be imported; the text says where and why."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event; `body` is the whole text after it, None after `deleted`; `title` is '' while there is none."""

    line: int
    article_id: str
    revision: int
    action: str
    occurred_at: datetime
    author_id: str
    author_name: str
    title: str
    status: str
    section: str
    byline: tuple[str, ...]
    path: str
    body: str | None


def read(path: Path) -> Iterator[HistoryEvent]:
    """The events in their order, every body rebuilt and compared with its hash."""
    bodies: dict[str, str | None] = {}
    for number, line in _lines(path):
        record = _record(number, line)
        body = _body(number, record, bodies.get(record["article_id"]))
        bodies[record["article_id"]] = body
        yield _event(number, record, body)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line
    except FileNotFoundError:
        raise HistoryError(f"{path}: there is no such file.") from None
    except gzip.BadGzipFile as error:
        raise HistoryError(
            f"{path}: not a sound gzip file ({error}). Compress it with gzip, or fetch it again."
        ) from None
    except (EOFError, zlib.error) as error:
        raise HistoryError(f"{path}: cut off or damaged after line {number} ({error}). Fetch the file again.") from None
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read ({error.strerror}).") from None


def _record(number: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except UnicodeDecodeError as error:
        raise HistoryError(f"line {number}: not UTF-8 (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        raise HistoryError(f"line {number}: not JSON ({error.msg}, column {error.colno}).") from None
    if not isinstance(record, dict):
        raise HistoryError(f"line {number}: expected a JSON object, found {type(record).__name__}.")
    _check_fields(number, record)
    return record


def _check_fields(number: int, record: Record) -> None:
    if unknown := sorted(record.keys() - _FIELDS.keys()):
        raise HistoryError(f"line {number}: unknown field {unknown[0]!r}. Known: {', '.join(_FIELDS)}.")
    if missing := [name for name in _REQUIRED if name not in record]:
        raise HistoryError(f"line {number}: the field {missing[0]!r} is missing.")
    for name, value in record.items():
        if _kind(value) not in _FIELDS[name]:
            raise HistoryError(f"line {number}: {name} must be {' or '.join(_FIELDS[name])}, not {_kind(value)}.")
    if record["revision"] < 1:
        raise HistoryError(f"line {number}: revision must be 1 or more, not {record['revision']}.")
    if record["action"] not in ACTIONS:
        raise HistoryError(f"line {number}: action {record['action']!r} is not one of {', '.join(ACTIONS)}.")


def _kind(value: object) -> str:
    match value:
        case bool():
            return TRUTH
        case str():
            return TEXT
        case int():
            return NUMBER
        case None:
            return NOTHING
        case {"id": str(), "name": str()}:
            return "an object with id and name"
        case list() if all(isinstance(item, str) for item in value):
            return "a list of names"
        case _:
            return type(value).__name__


def _body(number: int, record: Record, before: str | None) -> str | None:
    if record["body_sha256"] is None:
        return None
    body = record.get("body")
    if body is None:
        body = _patched(number, record, before)
    found = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    if found != record["body_sha256"]:
        where = f"line {number}: {record['article_id']} revision {record['revision']}"
        raise HistoryError(f"{where}: the body's SHA-256 is {found}, body_sha256 says {record['body_sha256']}.")
    return body


def _patched(number: int, record: Record, before: str | None) -> str:
    if "patch" not in record:
        raise HistoryError(f"line {number}: neither body nor patch is there.")
    if before is None:
        raise HistoryError(f"line {number}: patch of {record['article_id']}, but no earlier body of it came before.")
    try:
        return apply_patch(before, record["patch"])
    except PatchError as error:
        raise HistoryError(f"line {number}: patch: {error}.") from None


def _event(number: int, record: Record, body: str | None) -> HistoryEvent:
    return HistoryEvent(
        line=number,
        article_id=record["article_id"],
        revision=record["revision"],
        action=record["action"],
        occurred_at=_moment(number, record["occurred_at"]),
        author_id=record["author"]["id"],
        author_name=record["author"]["name"],
        title=record["title"] or "",
        status=record["status"] or "",
        section=record["section"] or "",
        byline=tuple(record.get("byline", ())),
        path=record["path"] or "",
        body=body,
    )


def _moment(number: int, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise HistoryError(
            f"line {number}: occurred_at {text!r} is not a time with its zone, such as 2001-07-05T18:30:00Z."
        )
    if not EARLIEST <= moment < LATEST:
        raise HistoryError(
            f"line {number}: occurred_at {text!r} is not from {EARLIEST.year} to before {LATEST.year}, as events are."
        )
    return moment
