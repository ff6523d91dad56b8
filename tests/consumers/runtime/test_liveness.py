"""A process whose loop no longer turns writes its stacks and ends, whatever it hangs in."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections, transaction

from consumers import conf
from consumers.stages.database import DatabaseSink
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.consumers.running import running
from testkit.consumers.witness import committed, pending
from testkit.paths import ROOT
from testkit.waiting import until

SECONDS = 60


def python(statements: str) -> subprocess.CompletedProcess[str]:
    """A process that has a deadline of half a second for its turns."""
    program = f"import re, time\nfrom consumers.runtime.liveness import TurnDeadline\n{statements}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False
    )


@pytest.mark.parametrize(
    "hang",
    ["time.sleep(60)", "re.match('(a*)*b', 'a' * 60)", "__import__('threading').Lock().__enter__() and time.sleep(60)"],
    ids=["sleeping", "holding the interpreter", "behind a lock"],
)
def test_a_loop_that_hangs_ends_with_its_stacks(hang):
    ended = python(f"def hangs():\n    {hang}\nTurnDeadline(0.5).turned()\nhangs()")
    assert ended.returncode == 1
    assert "Timeout (0:00:00.500000)!" in ended.stderr and "in hangs" in ended.stderr


def test_a_loop_that_turns_in_time_goes_on_and_ends_by_itself():
    ended = python(
        "deadline = TurnDeadline(0.5)\nfor _ in range(8):\n    deadline.turned()\n    time.sleep(0.1)\n"
        "deadline.lift()\ntime.sleep(0.6)"
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_turned_some_time_ago_has_less_time():
    ended = python("TurnDeadline(60).turned(at=time.monotonic() - 59.9)\ntime.sleep(60)")
    assert ended.returncode == 1


@contextmanager
def locked(table: str) -> Iterator[None]:
    """The table, from everybody, as a migration might that nobody looks after."""
    with transaction.atomic(using="owner"):
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def hanging(stage: str) -> str:
    """What a process of the stage writes until it ends by itself, with a deadline shorter than PostgreSQL's limits."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "run_consumer", stage],
        cwd=ROOT,
        env={**os.environ, "AUDIT_TURN_SECONDS": "3"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_sink_whose_database_does_not_answer_ends_and_its_successor_works(own_trail):
    with locked("consumers_sinkoffset"):
        stacks = hanging("database")
    assert "Timeout (0:00:03)!" in stacks and "stages/sink_positions.py" in stacks
    with running(DatabaseSink()) as sink:
        until(lambda: sink.partitions, what="its partitions")


def test_a_relay_whose_lane_does_not_turn_ends_and_its_successor_publishes_once(own_trail):
    with locked("audittrail_outboxevent"):
        stacks = hanging("relay")
    assert "Timeout" in stacks and "relay/lane.py" in stacks
    Article.objects.create(headline="Tram", slug="tram", body="Some words.")
    with relaying():
        until(lambda: not pending(), what="the event in Kafka")
    assert len(committed(conf.raw_topic())) == 1
