"""Benchmarks are run by hand and seldom: that they fit the code that they measure is seen whenever tests run."""

import os
import re
import subprocess
import sys

import pytest

from testkit.paths import ROOT

BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))


def settings_of(name: str) -> str:
    """The settings that a benchmark chooses."""
    chosen = re.search(r"DJANGO_SETTINGS_MODULE.*?\"([\w.]+)\"", (ROOT / "benchmarks" / f"{name}.py").read_text())
    return chosen[1] if chosen else ""


@pytest.mark.parametrize("settings", sorted({settings_of(name) for name in BENCHMARKS}))
def test_every_benchmark_is_imported_without_any_service(settings):
    """In a process of their own, as they choose prefixes, databases and settings in the environment."""
    nowhere = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_PORT": "1",
        "ELASTICSEARCH_URL": "http://127.0.0.1:1",
    }
    program = "\n".join(f"import benchmarks.{name}" for name in BENCHMARKS if settings_of(name) == settings)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **nowhere}, check=True)
