"""Is anything that PostgreSQL's log shows not captured?  Random programs, held against the decoded log, for as long as
is asked.

    python -m benchmarks.bench_witness [--programs 10000] [--minutes 60] [--seed 1]

Run against the local stack, on a database of its own.  The first program that is not captured truly is made as small as
possible and printed; the exit status is then 1.
"""

import argparse
import os
import subprocess
import sys
import time

DATABASE = f"witness{int(time.time())}"
os.environ["DATABASE_NAME"] = DATABASE
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")

import django

django.setup()

import psycopg
from hypothesis import HealthCheck, given, seed, settings

import stack
from testkit.audittrail.witness.programs import Program, programs
from testkit.audittrail.witness.witness import SUPERUSER, Witness, witness

AT_ONCE = 250
"""Programs of one seed."""


def migrated_database() -> str:
    """The name of a new one."""
    host, port = stack.addresses().postgres
    with psycopg.connect(
        host=host, port=port, user=SUPERUSER, password=SUPERUSER, dbname="postgres", autocommit=True
    ) as session:
        session.execute(f'CREATE DATABASE "{DATABASE}" OWNER audit_owner')
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    return DATABASE


def hold_against_the_log(watched: Witness, number: int, chance: int) -> None:
    """Raises AssertionError with the smallest of these programs that is not captured truly."""

    @seed(chance)
    @settings(max_examples=number, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(programs(watched.settings()))
    def is_captured(program: Program) -> None:
        assert watched.judge(program) == []

    is_captured()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_witness", description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60, help="no longer than this")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with witness(migrated_database()) as watched:
        started, chance = time.monotonic(), options.seed
        while watched.programs < options.programs and time.monotonic() - started < options.minutes * 60:
            hold_against_the_log(watched, min(AT_ONCE, options.programs - watched.programs), chance)
            chance += 1
            rate = watched.programs / (time.monotonic() - started)
            print(f"{watched.report()}; {rate:.1f} programs a second", flush=True)
    print(f"nothing escaped, and no event was without a change; seeds {options.seed} to {chance - 1}")


if __name__ == "__main__":
    main()
