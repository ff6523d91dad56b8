"""Small histories in the format of import_history."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DEFAULTS = {
    "article_id": "note-1",
    "action": "edited",
    "occurred_at": "2001-07-05T18:30:00Z",
    "author": {"id": "u-1", "name": "Ada Lane"},
    "title": "Notes",
    "status": "Draft",
    "section": "Process",
    "byline": ["Ada Lane", "Bo Ek"],
    "path": "note-1.txt",
}
LIFE: tuple[dict[str, Any], ...] = (
    {"action": "created", "body": "One.\n"},
    {
        "status": "Accepted",
        "action": "published",
        "patch": "--- a\n+++ b\n@@ -1,1 +1,2 @@\n One.\n+Two.\n",
        "text": "One.\nTwo.\n",
    },
    {"status": "Accepted", "patch": "", "text": "One.\nTwo.\n"},
    {
        "status": "Final",
        "action": "status_changed",
        "patch": "",
        "text": "One.\nTwo.\n",
        "author": {"id": "u-2", "name": "Bo Ek"},
    },
    {"action": "deleted", "path": None},
    {"action": "created", "title": "Other notes", "byline": [], "body": "Three.\n"},
)


def life() -> list[dict[str, Any]]:
    """Six events of one article: created, published, saved, moved on, deleted, created again."""
    return [event(revision, **values) for revision, values in enumerate(LIFE, start=1)]


def event(revision: int, text: str | None = None, **values: Any) -> dict[str, Any]:
    """`text`: the body after a patch."""
    body = values.get("body", text)
    digest = None if values.get("action") == "deleted" else hashlib.sha256((body or "").encode()).hexdigest()
    return {**DEFAULTS, "revision": revision, "body_sha256": digest, **values}


def write(path: Path, events: Sequence[dict[str, Any] | str]) -> Path:
    """Strings are written as they are."""
    lines = (line if isinstance(line, str) else json.dumps(line) for line in events)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path
