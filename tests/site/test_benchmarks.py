"""Benchmarks are run by hand and seldom: that they fit the code that they measure is seen whenever tests run."""

import os
import subprocess
import sys

from testkit.paths import ROOT

BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))


def test_every_benchmark_is_imported_without_any_service():
    """In a process of their own, as they choose prefixes and databases in the environment."""
    nowhere = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_PORT": "1",
        "ELASTICSEARCH_URL": "http://127.0.0.1:1",
    }
    program = "\n".join(f"import benchmarks.{name}" for name in BENCHMARKS)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **nowhere}, check=True)
