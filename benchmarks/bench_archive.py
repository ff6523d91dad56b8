"""Rows a second into the archive, and out of it: as Parquet in memory, through the object store, sealed, and read by
DuckDB.

python -m benchmarks.bench_archive
"""

import os
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

os.environ["AUDIT_PREFIX"] = f"bench{uuid.uuid4().hex[:6]}-"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
os.environ.setdefault("LOG_LEVEL", "WARNING")

import django

django.setup()

import duckdb

from audittrail.archive import format, objects, reader, seal, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.object_storage import archive_storage
from benchmarks.bench_codec import event

EVENTS, BATCH = 50_000, 5000
REMOVED = """
SELECT count(*) FROM (SELECT unnest(changes) AS c FROM read_parquet(?))
WHERE list_contains([e.removed FOR e IN c.edits], 'alleged ')"""
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def rows() -> list[ArchivedEvent]:
    return [
        {"topic_id": "benchmark", "partition": 0, "appended_at": DAY, "offset": number, **event(number)}
        for number in range(EVENTS)
    ]


def report(label: str, start: float) -> None:
    print(f"{label:<34}{EVENTS / (time.perf_counter() - start):>10,.0f} rows a second")


def main() -> None:
    events, position = rows(), None
    start = time.perf_counter()
    size = sum(len(format.to_parquet(format.table(events[at : at + BATCH]))) for at in range(0, EVENTS, BATCH))
    report("to Parquet", start)
    print(f"{'size':<34}{size / EVENTS:>10,.0f} bytes a row")
    objects.ensure_bucket()
    start = time.perf_counter()
    for at in range(0, EVENTS, BATCH):
        position = writer.append("benchmark", 0, events[at : at + BATCH], position)
    report(f"into the tail, {BATCH:,} at a time", start)
    start = time.perf_counter()
    assert sum(1 for _ in reader.events()) == EVENTS
    report("read back as events", start)
    start = time.perf_counter()
    manifest = seal.seal(DAY.date())
    report("sealed", start)
    read_by_duckdb(manifest.objects[0].name)
    for name in objects.listed(""):
        objects.delete(name)
    archive_storage.client.delete_bucket(Bucket=archive_storage.bucket_name)


def read_by_duckdb(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.parquet")
        path.write_bytes(objects.read(name).content)
        start = time.perf_counter()
        found = duckdb.execute(REMOVED, [str(path)]).fetchone()
        assert found and found[0]
        report("searched by DuckDB", start)


if __name__ == "__main__":
    main()
