"""Waiting until all has arrived: with the whole pipeline at work, and with a part of it missing."""

import io
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audittrail.archive.object_storage import archive_storage
from audittrail.models import AuditEvent, OutboxEvent
from consumers.models import DeadLetter
from consumers.operations import outbox_retention
from consumers.operations.caught_up import goal
from consumers.stages.completeness import missing_in_database
from consumers.supervision import control
from newsroom.models import Article
from testkit.consumers.witness import some_articles
from testkit.paths import ROOT
from testkit.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pipeline(own_trail):
    """All stages under a supervisor."""
    archive_storage.ensure_bucket()
    control.ensure_controls()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "run_consumers"], cwd=ROOT, env=os.environ.copy()
    )
    yield own_trail
    process.terminate()
    assert process.wait(40) == 0


def _wait(timeout: int) -> str:
    out = io.StringIO()
    call_command("wait_until_caught_up", timeout=timeout, stdout=out)
    return out.getvalue()


def test_the_whole_pipeline(pipeline):
    articles = some_articles(30)
    Article.objects.update(headline="Changed")

    assert "All of it has arrived" in _wait(120)
    assert AuditEvent.objects.count() == 60

    # Without one stage it says what is missing where.
    control.stop("archive", None)
    until(lambda: _alive("archive") == 0, what="the end of the archive")
    Article.objects.filter(pk=articles[0].pk).update(headline="Changed again")
    with pytest.raises(CommandError, match=r"archive: \d"):
        _wait(4)

    # Nothing old is removed from the outbox while the archive lacks something; afterwards it is.
    OutboxEvent.objects.using("pipeline").update(published_at=timezone.now() - timedelta(days=8))
    outbox_patience, outbox_retention.PATIENCE_SECONDS = outbox_retention.PATIENCE_SECONDS, 2
    assert outbox_retention.prune() == 0
    outbox_retention.PATIENCE_SECONDS = outbox_patience
    control.start("archive", None)
    assert "All of it has arrived" in _wait(120)
    assert outbox_retention.prune() == 61
    assert not DeadLetter.objects.exists()


def _alive(stage: str) -> int:
    from consumers.supervision.status import collect

    return next(found.alive for found in collect().stages if found.stage == stage)


def test_a_store_lacks_what_was_saved_and_is_not_there(fresh_database):
    some_articles(2)
    Article.objects.update(headline="Changed")

    lacking = missing_in_database(goal().heads)

    assert sorted(lacking.values()) == [2, 2]


def test_without_any_event_there_is_nothing_to_wait_for_in_the_stores(fresh_database):
    assert missing_in_database(goal().heads) == {}


def test_a_timeout_ends_the_wait_and_names_the_places(own_trail):
    some_articles(1)

    with pytest.raises(CommandError, match="relay: 1 events missing"):
        _wait(1)
