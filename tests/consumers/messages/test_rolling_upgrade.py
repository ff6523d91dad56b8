"""Old and new processes of every stage at work together: all events arrive, and the archive reads as one table."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager

import duckdb
import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from audittrail import contracts
from audittrail.archive import object_names, objects, reader
from audittrail.contracts.codec import schema_id
from audittrail.models import AuditEvent
from consumers import conf
from consumers.kafka import schema_registry
from consumers.models import Member, StageControl
from newsroom.models import Article
from testkit.consumers.newer import FIELD
from testkit.consumers.running import process
from testkit.consumers.witness import captured, committed, pending, some_articles
from testkit.paths import ROOT
from testkit.waiting import until

pytestmark = pytest.mark.timeout(300)

STAGES = ("relay", "enricher", "database", "archive")


@contextmanager
def newer_process(folder, name: str, slot: int):
    command = [sys.executable, "-W", "ignore", "-m", "testkit.consumers.newer", str(folder), name, "--slot", str(slot)]
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy())
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def partitions() -> int:
    """Enough for each process to have a part of the enriched topic, though one may get all dead letters."""
    return 8


@pytest.fixture
def two_releases(own_trail, contract_files, own_bucket):
    """Old processes in slot 1 and new ones in slot 2, of every stage; the newer contracts are registered, as the guide
    says.
    """
    old = contracts.latest(contracts.RAW)
    for contract in (contracts.RAW, contracts.ENRICHED):
        contract_files.add(contract, FIELD)
    call_command("register_schemas")
    StageControl.objects.create(stage="relay", processes=2)
    with ExitStack() as processes:
        # The old enricher has all partitions when the new one comes: if both came at once, each might get exactly those
        # that one relay writes, and no event would go from old to new.
        processes.enter_context(process("enricher", 1))
        until(lambda: Member.objects.exclude(partitions=[]).exists(), seconds=120, what="the old enricher")
        for name in STAGES:
            if name != "enricher":
                processes.enter_context(process(name, 1))
            processes.enter_context(newer_process(contract_files.folder, name, 2))
        until(
            lambda: Member.objects.filter(state="running").exclude(partitions=[]).count() == 2 * len(STAGES),
            seconds=120,
            what="two processes of every stage",
        )
        yield old, old + 1


def _version_of(value: bytes) -> int:
    return schema_registry.schemas().by_id(schema_id(value))["x-contract-version"]


def _written() -> Counter:
    """How often an event went on in a version after it came in another: old to old, old to new, new to old, new to
    new.
    """
    raw = {dict(message.headers())["ce_id"]: _version_of(message.value()) for message in committed(conf.raw_topic())}
    return Counter(
        (raw[dict(message.headers())["ce_id"]], _version_of(message.value()))
        for message in committed(conf.enriched_topic())
    )


def _archived() -> set[tuple[str, int]]:
    return {(event["article_id"], event["sequence"]) for event in reader.events()}


def test_old_and_new_work_together_and_every_event_arrives_once(two_releases, tmp_path):
    old, new = two_releases
    articles = some_articles(60)
    for number in range(3):
        Article.objects.filter(pk__in=[article.pk for article in articles]).update(headline=f"Edit {number}")

    until(lambda: not pending(), what="a drained outbox")
    until(lambda: AuditEvent.objects.count() == 240, what="every row")
    until(lambda: len(_archived()) == 240, what="every event in the archive")

    assert set(AuditEvent.objects.values_list("article_id", "sequence")) == _archived() == captured()
    assert set(_written()) == {(old, old), (old, new), (new, old), (new, new)}
    until(lambda: all(member.processed for member in Member.objects.all()), what="a part for every process")
    _reads_as_one_table(tmp_path)


def _reads_as_one_table(folder) -> None:
    for number, name in enumerate(objects.listed(object_names.TAIL)):
        (folder / f"{number}.parquet").write_bytes(objects.read(name).content)
    table = f"read_parquet('{folder}/*.parquet', union_by_name = true)"
    columns = f"count(*), count(DISTINCT (article_id, sequence)), max({FIELD['name']})"
    ((count, distinct, _),) = duckdb.connect().execute(f"SELECT {columns} FROM {table}").fetchall()
    assert (count, distinct) == (240, 240)
    shapes = {FIELD["name"] in pq.read_schema(path).names for path in folder.glob("*.parquet")}
    assert shapes == {True, False}, "written by the old and by the new archive sink"
