"""An archive of a test's own, and rows to write into it."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import storages

from audittrail.archive import objects, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.object_storage import archive_storage
from testkit.audittrail.indexes import event

TOPIC = "tPq9-kZ_Q0mC7eVbYxw1Ag"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def own_bucket(monkeypatch) -> Iterator[str]:
    """A bucket of the test's own, for this process and those it starts; its name."""
    name = f"t{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("AUDIT_ARCHIVE_BUCKET", name)
    monkeypatch.setattr(storages["audit"], "bucket_name", name)
    objects.ensure_bucket()
    yield name
    for each in objects.listed(""):
        objects.delete(each)
    archive_storage.client.delete_bucket(Bucket=name)


def row(offset: int, day: int = 0, partition: int = 7, topic_id: str = TOPIC, **values: Any) -> ArchivedEvent:
    """An event with its origin: the one at `offset`, appended that many seconds into a day."""
    return {
        **event(offset % 5, offset // 5 + 1, **values),
        "topic_id": topic_id,
        "partition": partition,
        "offset": offset,
        "appended_at": MIDNIGHT + timedelta(days=day, seconds=offset),
    }


def write(rows: list[ArchivedEvent], position: int | None = None, size: int = 10) -> int | None:
    """Write the rows, `size` at a time, as the sink does; the partition's end afterwards."""
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        position = writer.append(some[0]["topic_id"], some[0]["partition"], some, position)
    return position
