"""A rehearsal: all brokers lose all they have, in mid-flow, and the outbox refills them."""

import shutil
import time

import psycopg
import pytest

from stack import fleet, lifecycle, places
from testkit.faults import ledger, pipeline, witnesses
from testkit.faults.run import Run, verdicts
from testkit.faults.trail import Trail
from testkit.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def lose_kafka() -> None:
    """SIGKILL to all brokers, their data deleted, and a new, empty cluster at the same addresses."""
    brokers = fleet.select(fleet.load(places.stack_name()), ["kafka"])
    lifecycle.kill(brokers, lambda *_: None)
    for broker in brokers:
        shutil.rmtree(broker.directory / "data")
    lifecycle.start(brokers, lambda *_: None, lambda *_: None)


def refill(trail: Trail) -> None:
    """What docs/operating.md says."""
    with psycopg.connect(**trail.superuser, autocommit=True) as connection:

        def want(state: str) -> None:
            connection.execute(
                "UPDATE consumers_stagecontrol SET desired_state = %s, changed_at = now() WHERE stage = 'relay'",
                [state],
            )

        def released() -> bool:
            held = connection.execute("SELECT FROM consumers_relaylane WHERE expires_at > now()").fetchone()
            return held is None

        want("stopped")
        until(released, what="lanes without a holder")
        for command in ("create_topics", "register_schemas", "republish"):
            trail.manage(command)
        want("running")


def test_nothing_is_lost_or_doubled_when_kafka_is(trail, tmp_path):
    environment, log = trail.environment(), tmp_path / "consumers.log"
    with pipeline.Pipeline(environment, log):
        with pipeline.newsroom(environment, tmp_path / "ledger.jsonl", tmp_path / "newsroom.log", rate=40, seed=3):
            until(lambda: sum(1 for _ in witnesses.rows(trail)) > 200, what="events in the database")
            lose_kafka()
            refill(trail)
            time.sleep(3)  # some more saves
        Run(trail, tmp_path, 0, 0).wait_for_quiet()
    deeds = ledger.read(tmp_path / "ledger.jsonl", witnesses.newsroom(trail))

    found = verdicts(trail, deeds)
    assert all(verdict.sound for verdict in found.values()), found
    assert witnesses.letters(trail) == []
