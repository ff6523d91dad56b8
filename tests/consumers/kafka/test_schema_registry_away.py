"""The schema registry goes away: what runs goes on from what it knows, what starts waits and says for what."""

from urllib.parse import urlsplit

import pytest

from audittrail.models import AuditEvent
from consumers import conf
from consumers.kafka import schema_registry
from consumers.models import Member
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from testkit.consumers.gate import Gate
from testkit.consumers.relaying import relaying
from testkit.consumers.running import process, running
from testkit.consumers.witness import pending, published, some_articles
from testkit.waiting import until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def gate(own_trail):
    """A gate between everything and the registry; this process has forgotten what it knew."""
    real = urlsplit(conf.schema_registry_url())
    assert real.hostname and real.port
    with Gate((real.hostname, real.port)) as gate, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUDIT_RETRY_CAP", "1")
        environment.setenv("SCHEMA_REGISTRY_URL", real._replace(netloc=f"127.0.0.1:{gate.port}").geturl())
        schema_registry.schemas.cache_clear()
        # One memory for all, as in a process: threads that ask for it at the same moment would get one each.
        schema_registry.schemas()
        yield gate
    schema_registry.schemas.cache_clear()


def test_running_processes_go_on_from_their_caches(gate):
    with relaying() as lanes, running(Enricher()) as enricher, running(DatabaseSink()) as sink:
        until(lambda: all(lane.report.state == "running" for lane in lanes), what="lanes at work")
        until(lambda: enricher.partitions and sink.partitions, what="stages at work")
        gate.close()
        some_articles(20)
        until(lambda: AuditEvent.objects.count() == 20, what="events at rest without the registry")


def test_a_starting_relay_waits_and_says_for_what(gate):
    some_articles(3)
    gate.close()
    with process("relay"):
        member = until(lambda: Member.objects.filter(stage="relay", state="waiting").first(), what="the relay waits")
        assert "the schema registry at http://127.0.0.1" in member.reason and "is away" in member.reason
        assert pending() == 3
        gate.open()
        until(lambda: not pending(), what="a drained outbox")
    assert len(published()) == 3


@pytest.mark.parametrize("stage", ["enricher", "database"])
def test_a_starting_stage_waits_and_says_for_what(gate, stage):
    gate.close()
    with process(stage):
        member = until(lambda: Member.objects.filter(stage=stage, state="waiting").first(), what="the stage waits")
        assert "the schema registry at http://127.0.0.1" in member.reason
        gate.open()
        until(lambda: Member.objects.filter(stage=stage, state="running").exists(), what="the stage runs")
