import signal
import subprocess
import sys

from testkit.paths import ROOT


def test_sigterm_ends_it_cleanly(fresh_database):
    command = [sys.executable, "manage.py", "simulate_newsroom", "--rate", "50", "--seed", "3"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("1 saves")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "the newsroom has closed" in output
