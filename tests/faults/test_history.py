"""A real history, each process killed once on its way: every place holds exactly what the file says."""

import pytest

from testkit.faults.history import PROCESSES, Passage, report
from testkit.paths import HISTORY

SMALL = HISTORY / "peps-history-small.jsonl.gz"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.skipif(not SMALL.exists(), reason="the history is not beside this checkout")
def test_a_real_history_arrives_whole_though_each_process_is_killed_once(trail, tmp_path):
    result = Passage(trail, SMALL, tmp_path, PROCESSES).run()

    assert result.killed == list(PROCESSES)
    assert result.sound, report(result)
    assert result.events == 493
