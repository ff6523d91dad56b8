"""How soon a stage goes on after SIGKILL: from the kill to its next progress, with a newsroom at work.  Goal: under 5
s.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_recovery`.  Kills of one stage lie a minute
apart, as the supervisor makes what dies at once wait longer.  The archive gathers for a second, not for fifteen as by
default, so that its progress can be seen.
"""

import signal
import statistics
import tempfile
import time
from pathlib import Path

from confluent_kafka import KafkaException

from testkit.faults import pipeline
from testkit.faults.pipeline import Pipeline
from testkit.faults.preparation import new_trail
from testkit.faults.schedule import STAGES
from testkit.faults.stalls import Stalls
from testkit.waiting import until

ROUNDS = 4
STEADY_SECONDS = 61.0
WITHIN = 60.0
SAVES_A_SECOND = 20.0
IN_FLIGHT = 0.3
"""Seconds after the kill in which what it had sent may still arrive."""


def recovery(running: Pipeline, stalls: Stalls, stage: str) -> float:
    """Seconds from SIGKILL to progress."""
    process = running.process(stage)
    assert process, f"{stage} does not run"
    process.signal(signal.SIGKILL)
    killed = time.monotonic()
    time.sleep(IN_FLIGHT)
    before = until(lambda: progress(stalls, stage), WITHIN, f"an answer about {stage}")
    until(lambda: progress(stalls, stage) > before, WITHIN, f"progress of {stage}")
    return time.monotonic() - killed


def progress(stalls: Stalls, stage: str) -> int:
    """0 while a coordinator moves, as Kafka's do every five minutes."""
    try:
        return stalls.progress(stage)
    except KafkaException:
        return 0


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="audit-bench-"))
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with new_trail("recovery") as trail:
        stalls, environment = Stalls(trail), trail.environment() | {"AUDIT_ARCHIVE_BATCH_SECONDS": "1"}
        with (
            Pipeline(environment, folder / "consumers.log") as running,
            pipeline.newsroom(
                environment, folder / "ledger.jsonl", folder / "newsroom.log", rate=SAVES_A_SECOND, seed=1
            ),
        ):
            for _ in range(ROUNDS):
                time.sleep(STEADY_SECONDS)
                for stage in STAGES:
                    times[stage].append(recovery(running, stalls, stage))
    for stage, found in times.items():
        print(f"{stage:10} p50 {statistics.median(found):5.2f} s, longest {max(found):5.2f} s  ({len(found)} kills)")


if __name__ == "__main__":
    main()
