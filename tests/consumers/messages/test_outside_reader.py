"""A consumer that knows nothing of this project reads every event."""

import json
import os
import random
import signal
import subprocess
import sys

from audittrail.archive.object_storage import archive_storage
from audittrail.models import OutboxEvent
from consumers import conf
from consumers.stages.enricher import Enricher
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.consumers.running import running
from testkit.consumers.witness import captured, committed, faults, pending, some_articles
from testkit.paths import ROOT
from testkit.waiting import until

SECONDS = 60
EXAMPLE = ROOT / "examples" / "read_enriched.py"


def _read(folder, *more: str) -> list[dict]:
    """What the example prints, run where none of the project's modules can be found."""
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO", "AUDIT", "PYTHONPATH", "STACK", "DATABASE"))
    }
    arguments = [
        "--brokers",
        conf.kafka_bootstrap_servers(),
        "--registry",
        conf.schema_registry_url(),
        "--topic",
        conf.enriched_topic(),
        *more,
    ]
    command = [sys.executable, "-I", "-X", "faulthandler", str(EXAMPLE), *arguments]
    reader = subprocess.Popen(command, cwd=folder, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, errors = reader.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        reader.send_signal(signal.SIGABRT)  # faulthandler says where it is
        output, errors = reader.communicate()
    assert reader.returncode == 0, f"{len(output.splitlines())} events read\n{errors}"
    return [json.loads(line) for line in output.splitlines()]


def test_every_event_is_read_with_the_registrys_address_alone(own_trail, tmp_path):
    archive_storage.ensure_bucket()
    articles = some_articles(20)
    Article.objects.filter(pk__lte=articles[9].pk).update(headline="Ein Wörtchen mehr", body="Some other words.")
    Article.objects.filter(pk=articles[0].pk).update(body="".join(random.Random(1).choices("abcdefgh ", k=200_000)))
    Article.objects.filter(pk=articles[19].pk).delete()
    with relaying(), running(Enricher()):
        until(lambda: not pending(), what="a drained outbox")
        until(lambda: len(committed(conf.enriched_topic())) == len(captured()), what="all events enriched")

    events = _read(tmp_path)

    assert len(events) == len(captured())
    assert {(event["article_id"], event["sequence"]) for event in events} == captured()
    hashes = dict(OutboxEvent.objects.values_list("event_id", "hash"))
    assert {event["event_id"]: event["hash"] for event in events} == {
        str(identity): bytes(known).hex() for identity, known in hashes.items()
    }
    assert {event["action"] for event in events} == {"created", "edited", "deleted"}
    in_order = [(event["article_id"], event["sequence"]) for event in _read(tmp_path, "--in-order", "5")]
    assert sorted(in_order) == sorted(captured())
    assert faults(in_order, captured()) == {"lost": 0, "doubled": 0, "disordered": 0}
    assert [event["payload"]["size"] > 65_536 for event in events if event["payload"]] == [True]
