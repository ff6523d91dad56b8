"""A real editorial history from real saves to every store: seconds for each stage, the most memory each process held,
and what arrived.

    python -m benchmarks.bench_history [HISTORY.jsonl.gz] [--kill]

Run against the local stack.  The history defaults to ../shared/data/peps-history.jsonl.gz.  With --kill each process,
the import among them, gets one SIGKILL on the way.  Every state of every article is then rebuilt from what lies in both
topics, database, index and archive, and compared with the file.  Exit status 1 if anything is not as it should be.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from testkit.faults.history import PROCESSES, Passage, report
from testkit.faults.preparation import new_trail

HISTORY = Path(__file__).parents[2] / "shared" / "data" / "peps-history.jsonl.gz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_history", description=__doc__.splitlines()[0])
    parser.add_argument("history", type=Path, nargs="?", default=HISTORY)
    parser.add_argument("--kill", action="store_true", help="SIGKILL to each process once")
    options = parser.parse_args()
    if not options.history.exists():
        print(f"{options.history} is not there: name a history")
        return 0
    with new_trail("history") as trail:
        result = Passage(
            trail, options.history, Path(tempfile.mkdtemp(prefix="audit-bench-")), PROCESSES if options.kill else ()
        ).run()
    print(report(result))
    return 0 if result.sound else 1


if __name__ == "__main__":
    sys.exit(main())
