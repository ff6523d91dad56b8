"""What editors notice while Kafka is away: latency of saves at 100 a second, without the fault and with all brokers
killed.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_kafka_away --seconds 300`.  Afterwards Kafka
is started, the outbox drains, and every event must be in every place.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import psycopg

from stack import fleet, lifecycle, places
from testkit.faults import ledger, pipeline, witnesses
from testkit.faults.pipeline import Pipeline
from testkit.faults.preparation import new_trail
from testkit.faults.run import verdicts
from testkit.faults.trail import Trail

RATE = 100
WARM_UP = 15.0


def pending(trail: Trail) -> int:
    with psycopg.connect(**trail.superuser) as connection:
        found = connection.execute("SELECT count(*) FROM audittrail_outboxevent WHERE published_at IS NULL").fetchone()
    assert found
    return found[0]


def away(trail: Trail, seconds: float) -> int:
    """Kafka is killed and, after so long, started; events waiting then."""
    brokers = fleet.select(fleet.load(places.stack_name()), ["kafka"])
    lifecycle.kill(brokers, lambda *_: None)
    try:
        time.sleep(seconds)
        return pending(trail)
    finally:
        lifecycle.start(brokers, lambda *_: None, lambda *_: None)


def line(label: str, saves: list[tuple[float, float]], since: float, until: float) -> str:
    found = [seconds for at, seconds in saves if since <= at < until]
    centiles = statistics.quantiles(found, n=100)
    return (
        f"{label:14} {len(found) / (until - since):6.1f} saves/s, p50 {centiles[49] * 1000:6.1f} ms, "
        f"p99 {centiles[98] * 1000:6.1f} ms, longest {max(found) * 1000:6.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each phase (default: 60)")
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="audit-bench-"))
    with new_trail("away") as trail, Pipeline(trail.environment(), folder / "consumers.log"):
        with pipeline.newsroom(
            trail.environment(), folder / "ledger.jsonl", folder / "newsroom.log", rate=RATE, seed=1
        ):
            time.sleep(WARM_UP)
            begun = time.time()
            time.sleep(seconds)
            killed = time.time()
            waiting = away(trail, seconds)
            back = time.time()
        while pending(trail):
            time.sleep(0.5)
        drained = time.time()
        trail.manage("wait_until_caught_up", "--timeout", "600")
        deeds = ledger.read(folder / "ledger.jsonl", witnesses.newsroom(trail))
        print(line("with Kafka", deeds.saves, begun, killed))
        print(line("Kafka away", deeds.saves, killed, killed + seconds))
        print(f"{waiting:,} events waited; the outbox was drained {drained - back:.1f} s after Kafka was back")
        for place, verdict in verdicts(trail, deeds).items():
            print(f"  {place:15} {verdict}")


if __name__ == "__main__":
    main()
