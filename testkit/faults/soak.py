"""`python -m testkit.faults.soak --minutes 60 --seed 7`: hours of faults on a stack of its own, and the judgement;
`make soak`.

Exit status 0 when nothing was lost, doubled, disordered or altered.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("STACK", "soak")

from testkit.faults.preparation import new_trail
from testkit.faults.run import Run, report
from testkit.paths import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m testkit.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the schedule (default: the time)")
    parser.add_argument("--rate", type=float, default=40, help="saves a second")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder = Path(tempfile.mkdtemp(prefix="audit-soak-"))
    print(f"seed {arguments.seed}, {arguments.minutes} minutes, logs in {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "stack", "up"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with new_trail("soak") as trail:
        result = Run(trail, folder, arguments.seed, arguments.minutes * 60, arguments.rate).run()
    print(report(result))
    return 0 if result.sound else 1


if __name__ == "__main__":
    sys.exit(main())
