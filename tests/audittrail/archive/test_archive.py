"""The archive on a real object store: every event once, whoever writes, freezes or dies; what is damaged is named."""

import random
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import duckdb
import pytest

from audittrail.archive import format, object_names, objects, reader, seal, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.object_storage import archive_storage
from audittrail.archive.writer import DamagedArchive
from testkit.audittrail.archives import TOPIC, row, write
from testkit.audittrail.events import change, text_change
from testkit.paths import ROOT


def offsets() -> list[int]:
    return sorted(found["offset"] for found in reader.events())


def test_an_event_comes_back_as_it_was(own_bucket):
    changes = [
        text_change("body", (3, "alleged\n", ""), (9, "", "🚋")),
        change("tags", "relation", before_ids=[], after_ids=["5", "3"]),
        change("status", "scalar", before=None, after="draft"),
    ]
    keyframe = {"values": {"headline": "Tram", "standfirst": None}, "relations": {"tags": ["5", "3"], "credits": []}}
    payload = {"sha256": bytes(32), "size": 70_000}
    original = row(
        0, changes=changes, keyframe=keyframe, payload=payload, labels={"tags": {"5": "Transport"}, "section": {}}
    )
    write([original])
    assert list(reader.events()) == [original]


def test_an_object_holds_one_day_and_goes_on_where_the_one_before_ended(own_bucket):
    write([row(0), row(3), row(4, day=1), row(9, day=1)])
    first, second = objects.listed(object_names.TAIL)
    assert first == f"tail/topic={TOPIC}/date=2026-01-01/p07-00000000000000000000.parquet"
    assert second == f"tail/topic={TOPIC}/date=2026-01-02/p07-00000000000000000004.parquet"
    assert [writer.segment(name, objects.metadata(name)) for name in (first, second)] == [(0, 4), (4, 10)]


def test_writing_again_from_anywhere_adds_nothing(own_bucket):
    rows = [row(offset) for offset in range(40)]
    write(rows)
    before = objects.listed("")
    assert write(rows, position=0, size=7) == 40 and write(rows, position=20, size=3) == 40
    assert objects.listed("") == before and offsets() == list(range(40))


def test_where_a_partition_ends(own_bucket):
    write([row(offset) for offset in range(25)])
    write([row(offset, day=1, partition=3) for offset in range(4)])
    write([row(offset, topic_id="other") for offset in range(90)])
    assert writer.ends(TOPIC, {3, 7, 11}) == {3: 4, 7: 25}


def test_a_long_day_is_not_listed_from_its_beginning(own_bucket, monkeypatch):
    monkeypatch.setattr(writer, "LOOK_BACK", 10)
    write([row(offset) for offset in range(100)], size=1)
    seen: list[str] = []
    listed = objects.listed

    def noted(*asked: str) -> list[str]:
        found = listed(*asked)
        seen.extend(found)
        return found

    monkeypatch.setattr(objects, "listed", noted)

    assert writer.ends(TOPIC, {7}, {7: 98}) == {7: 100}
    assert len(seen) == 12


@pytest.mark.parametrize("near", [0, 12, 5_000], ids=["nothing known", "far behind", "beyond the end"])
def test_a_wrong_guess_of_where_a_partition_ends_costs_time_only(own_bucket, monkeypatch, near):
    monkeypatch.setattr(writer, "LOOK_BACK", 10)
    write([row(offset) for offset in range(40)], size=4)

    assert writer.ends(TOPIC, {7}, {7: near}) == {7: 40}


def test_what_another_topic_brought_lately_is_known(own_bucket):
    old, new = row(0, topic_id="before"), row(0, day=5, topic_id="before", event_id=uuid.uuid4())
    write([old]), write([new | {"offset": 9}])
    write([row(0, day=5, event_id=uuid.uuid4())])
    assert writer.archived_under_other_topics(TOPIC, date(2026, 1, 5)) == {(new["event_id"].bytes, new["hash"])}


class Writer(threading.Thread):
    """A writer that freezes with a full buffer, dies between an object and its commit, and starts again where the
    archive ends.
    """

    def __init__(self, log: list[ArchivedEvent], seed: int):
        super().__init__()
        self._log, self._random = log, random.Random(seed)
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while self._live():
                pass
        except Exception as error:
            self.failure = error

    def _live(self) -> bool:
        position = writer.ends(TOPIC, {7}).get(7)
        for _ in range(self._random.randint(1, 5)):
            buffer = [each for each in self._log if each["offset"] >= (position or 0)][: self._random.randint(20, 200)]
            if not buffer:
                return False
            if self._random.random() < 0.3:
                time.sleep(self._random.random() * 0.05)
            position = writer.append(TOPIC, 7, buffer, position)
        return True


@pytest.mark.parametrize("seed", [1, 2])
def test_racing_freezing_dying_writers_and_sealers_keep_every_event_once(own_bucket, seed):
    log = [row(offset, day=offset // 300) for offset in range(1500) if offset % 37]  # holes: markers of transactions
    writers = [Writer(log, 10 * seed + number) for number in range(6)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert [each.failure for each in writers] == [None] * 6
    expected = [each["offset"] for each in log]
    assert offsets() == expected and list(reader.check()) == []
    days = seal.open_days()
    with ThreadPoolExecutor(3) as sealers:
        list(sealers.map(lambda _: [seal.seal(day) for day in days], range(3)))
    assert offsets() == expected and list(reader.check()) == [] and seal.open_days() == []


def test_without_the_names_that_exclude_each_other_events_double(own_bucket, monkeypatch):
    """What the test above would see if objects could be created twice."""
    store = objects.create_once
    monkeypatch.setattr(
        objects, "create_once", lambda name, *rest: store(name.replace(".p", f"-{uuid.uuid4().hex[:8]}.p"), *rest)
    )
    monkeypatch.setattr(object_names, "_TAIL", re.compile(object_names._TAIL.pattern.replace(r"\.", r"(?:-\w+)?\.")))
    rows = [row(offset) for offset in range(40)]
    write(rows)
    write(rows, position=20)
    stored = objects.listed(object_names.TAIL)
    assert sum(len(format.from_parquet(objects.read(name).content)) for name in stored) > 40


def test_a_sealed_day_is_sorted_by_article_and_counted(own_bucket):
    write([row(offset) for offset in range(40)])
    write([row(offset, partition=2, day=1) for offset in range(4)])
    manifest = seal.seal(date(2026, 1, 1))
    (sealed,) = manifest.objects
    stored = format.from_parquet(objects.read(sealed.name).content)
    order = [(found["article_id"], found["sequence"]) for found in format.events(stored)]
    assert order == sorted(order) and (sealed.events, manifest.events) == (40, 40)
    assert [(part.start, part.end, part.tails) for part in sealed.ranges] == [(0, 40, 4)]
    assert seal.open_days() == [date(2026, 1, 2)] and len(offsets()) == 44


def test_a_sealer_that_died_half_way_is_succeeded(own_bucket, monkeypatch):
    write([row(offset) for offset in range(20)])
    write([row(offset, partition=2) for offset in range(20)])
    store = objects.create_once

    def dying(name: str, *rest) -> bool:
        if name.startswith(object_names.MANIFESTS):
            raise KeyboardInterrupt
        return store(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(objects, "create_once", dying)
        with pytest.raises(KeyboardInterrupt):
            seal.seal(date(2026, 1, 1))
    assert len(offsets()) == 40 and list(reader.check()) == []
    assert seal.seal(date(2026, 1, 1)).events == 40 and len(offsets()) == 40


def test_tails_go_only_when_their_sealed_objects_are_unharmed(own_bucket):
    position = write([row(offset) for offset in range(20)])
    manifest = seal.seal(date(2026, 1, 1))
    assert seal.superfluous_tails(date(2026, 1, 1)) == []
    old = seal.superfluous_tails(date(2026, 1, 2))
    assert old == objects.listed(object_names.TAIL)
    for name in old:
        objects.delete(name)
    assert writer.ends(TOPIC, {7}) == {7: position} and len(offsets()) == 20 and list(reader.check()) == []
    replace(manifest.objects[0].name, b"other")
    with pytest.raises(DamagedArchive, match="SHA-256"):
        seal.superfluous_tails(date(2026, 1, 2))


def replace(name: str, content: bytes, **metadata: str) -> None:
    archive_storage.client.put_object(Bucket=archive_storage.bucket_name, Key=name, Body=content, Metadata=metadata)


def sealed_and_tail() -> tuple[str, list[str]]:
    """A sealed first day and a second with three tail objects: the sealed object's name and those of the tail."""
    position = write([row(offset) for offset in range(20)])
    write([row(offset, day=1) for offset in range(20, 50)], position)
    (sealed,) = seal.seal(date(2026, 1, 1)).objects
    return sealed.name, [name for name in objects.listed(object_names.TAIL) if "2026-01-02" in name]


def findings() -> list[tuple[str, str]]:
    return [(finding.kind, finding.name) for finding in reader.check()]


def test_damage_is_named(own_bucket):
    _, (_, second, third) = sealed_and_tail()
    assert findings() == []
    keep = objects.read(second)
    replace(second, keep.content[:-1] + b"x", **keep.metadata)
    assert findings() == [("changed", second), ("gap", f"topic={TOPIC} p07")]
    objects.delete(second)
    assert findings() == [("gap", f"topic={TOPIC} p07")]
    replace(second, keep.content, **keep.metadata)
    assert findings() == []
    replace(third.replace("p07", "p07x"), b"?")
    assert findings() == [("added", third.replace("p07", "p07x"))]


def test_damage_to_sealed_days_is_named(own_bucket):
    sealed, _ = sealed_and_tail()
    content = objects.read(sealed).content
    replace(sealed, content + b"x")
    assert findings() == [("changed", sealed)]
    objects.delete(sealed)
    assert findings() == [("missing", sealed)]
    replace(sealed, content)
    late = object_names.Tail(TOPIC, 7, 777, date(2026, 1, 1)).name
    replace(object_names.sealed(date(2026, 1, 1), 9), content)
    replace(late, content)
    assert findings() == [("added", object_names.sealed(date(2026, 1, 1), 9)), ("added", late)]
    replace(object_names.manifest(date(2026, 1, 1)), b"{}")
    assert ("unreadable", object_names.manifest(date(2026, 1, 1))) in findings()


def test_a_foreign_object_does_not_stop_writing_or_reading(own_bucket):
    replace(f"tail/topic={TOPIC}/date=2026-01-01/notes.txt", b"?")
    replace("manifests/readme", b"?")
    write([row(offset) for offset in range(20)])
    assert writer.ends(TOPIC, {7}) == {7: 20} and len(offsets()) == 20 and seal.open_days() == [date(2026, 1, 1)]


def test_a_tail_without_its_end_is_named(own_bucket):
    replace(object_names.Tail(TOPIC, 7, 0, date(2026, 1, 1)).name, b"?")
    with pytest.raises(DamagedArchive, match="does not say which offsets"):
        write([row(0)])


def download(folder: Path) -> None:
    for name in objects.listed(""):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(objects.read(name).content)


def documented_query(folder: Path) -> str:
    text = (ROOT / "docs" / "archive.md").read_text()
    return (
        text.split("```sql\n-- the archive", 1)[1]
        .split("```", 1)[0]
        .replace("s3://audit-trail", str(folder))
        .partition("\n")[2]
    )


@pytest.mark.parametrize("sealed", [True, False])
def test_the_documented_query_reads_every_event_once(own_bucket, tmp_path, sealed):
    position = write([row(offset) for offset in range(20)])
    write([row(offset, day=1) for offset in range(20, 50)], position)
    if sealed:
        seal.seal(date(2026, 1, 1))
    download(tmp_path)
    database = duckdb.connect()
    database.execute(documented_query(tmp_path))
    counted = database.sql(
        "SELECT count(*), count(DISTINCT (article_id, sequence)), count(DISTINCT hash), min(actor_profile.name) "
        "FROM events"
    )
    assert counted.fetchall() == [(50, 50, 50, "Kim Lee")]
    removed = database.sql(
        "SELECT count(*) FROM events, unnest(changes) AS c(change), unnest(change.edits) AS e(edit) "
        "WHERE edit.removed LIKE '%alleged%'"
    )
    assert removed.fetchall() == [(50,)]
