"""Two minutes of faults: nothing lost, doubled, disordered or altered; and the same faults find what there is without
protection.
"""

from collections import Counter
from itertools import chain

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from testkit.faults import schedule, witnesses
from testkit.faults.run import Run, report
from testkit.faults.trail import Trail

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = 34556
"""A schedule that begins with replies to Produce lost for longer than a delivery waits, and befalls all brokers and
PostgreSQL.
"""
SECONDS = 120
RATE = 25
AT_MOST = 300
UNPROTECTED = {"AUDIT_DELIVERY": "at_least_once", "AUDIT_DEDUPLICATION": "off"}


def test_nothing_is_lost_doubled_disordered_or_altered_under_fire(trail, tmp_path, record_property):
    result = Run(trail, tmp_path, SEED, SECONDS, RATE).run()
    record_property("report", report(result))

    assert result.sound, report(result)
    assert result.lost_replies > 0
    assert {kind for kind, _ in result.faults} == set(chain(*schedule.LANES))


def repeats(trail: Trail) -> int:
    """Events that the enriched topic holds again; 0 while it cannot be read."""
    try:
        keys = Counter((event.article, event.sequence) for event in witnesses.topic("enriched")(trail))
    except (AssertionError, requests.RequestException, BotoCoreError, ClientError):
        return 0
    return keys.total() - len(keys)


def test_without_protection_the_same_faults_double_events(trail, tmp_path):
    result = Run(trail, tmp_path, SEED, AT_MOST, RATE, settings=UNPROTECTED, enough=lambda: repeats(trail) > 0).run()

    assert result.verdicts["enriched topic"].doubled > 0, report(result)
    assert result.verdicts["topic"].sound
    assert {verdict.lost for verdict in result.verdicts.values()} == {0}
