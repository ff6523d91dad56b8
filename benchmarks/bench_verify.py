"""Events a second that verify_trail verifies, compared with merely reading them.  Goal: 10,000.

Run against the local stack: `make bench BENCH=bench_verify`.  A trail of 300 articles with 60 events each goes through
the whole pipeline first.  The peers read the same stores with a driver each, parse what they get, and compare nothing.
"""

import json
import tempfile
import time
from pathlib import Path

import psycopg

from testkit.faults import witnesses
from testkit.faults.pipeline import Pipeline
from testkit.faults.preparation import new_trail
from testkit.faults.trail import Trail

ARTICLES, ROUNDS = 300, 60
EVENTS = ARTICLES * ROUNDS

CREATE = """
INSERT INTO newsroom_article
  (headline, standfirst, body, body_format, slug, status, source_path, source_status, created_at, updated_at)
SELECT 'Article ' || n, 'A standfirst.',
       (SELECT string_agg('word' || (w * n %% 977), ' ') FROM generate_series(1, 1200) AS w),
       'html', 'article-' || n, 'draft', '', '', now(), now()
FROM generate_series(1, %s) AS n"""
EDIT = """
UPDATE newsroom_article
SET headline = 'Article ' || id || ', round ' || %s, body = overlay(body PLACING ' edited word ' FROM 20 * %s FOR 7)"""


def fill(trail: Trail) -> None:
    with psycopg.connect(**trail.superuser, autocommit=True) as connection:
        connection.execute(CREATE, [ARTICLES])
        for number in range(1, ROUNDS):
            connection.execute(EDIT, [number, number])


def verified(trail: Trail, *options: str) -> dict:
    return json.loads(trail.manage("verify_trail", "--json", "--grace", "0", *options))


def timed(read) -> float:
    started = time.perf_counter()
    assert sum(1 for _ in read) == EVENTS
    return time.perf_counter() - started


def line(label: str, events: int, seconds: float) -> None:
    print(f"{label:42} {events:>8,} events in {seconds:6.2f} s: {events / seconds:>8,.0f} a second")


def main() -> None:
    with (
        new_trail("verify") as trail,
        Pipeline(trail.environment(), Path(tempfile.mkdtemp(prefix="audit-bench-")) / "consumers.log"),
    ):
        fill(trail)
        trail.manage("wait_until_caught_up", "--timeout", "300")
        whole, again = verified(trail), verified(trail, "--incremental")
        stores = {
            name: timed(read(trail))
            for name, read in (
                ("database", witnesses.rows),
                ("index", witnesses.documents),
                ("archive", witnesses.archived),
            )
        }
    read = sum(whole["events"].values())
    assert whole["events"] == dict.fromkeys(stores, EVENTS)
    line("verify_trail: database, index, archive", read, whole["seconds"])
    for name, seconds in stores.items():
        line(f"peer: {name} read and parsed only", EVENTS, seconds)
    print(
        f"verifying takes {whole['seconds'] / sum(stores.values()):.1f} times as long as reading; "
        f"--incremental with nothing new {again['seconds']:.2f} s"
    )


if __name__ == "__main__":
    main()
