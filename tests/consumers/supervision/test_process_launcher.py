"""A consumer forked from its supervisor: it obeys from its first moment, and leaves what is the supervisor's alone."""

import subprocess
import sys
import textwrap

from testkit.paths import ROOT

PREPARED = """
import os, signal, socket, time
import django
django.setup()
from consumers.supervision import process_launcher

signal.signal(signal.SIGTERM, lambda *_: None)  # as the supervisor, which only takes note

def launched(work):
    process_launcher.call_command = lambda *_, **__: work()
    child = process_launcher.launch(process_launcher.ProcessSlot("relay", 1))
    child.join(20)
    return child.exitcode
"""


def run(script: str) -> str:
    """What a supervisor of its own prints: the tests' process has threads, which must not be forked."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PREPARED) + textwrap.dedent(script)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_signal_to_end_that_comes_right_after_the_fork_is_obeyed():
    script = """
        os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
        print(launched(lambda: time.sleep(60)) == -signal.SIGTERM)
    """

    assert run(script) == "True\n"


def test_the_supervisors_connections_lead_nowhere_in_the_child():
    script = """
        ours, other = socket.socketpair()
        print(launched(lambda: os.write(ours.fileno(), b"terminate")))
        other.setblocking(False)
        try:
            print(other.recv(100))
        except BlockingIOError:
            print("nothing came")
        ours.send(b"still ours")
        print(other.recv(100))
    """

    assert run(script).splitlines() == ["0", "nothing came", "b'still ours'"]


def test_a_child_is_known_by_its_name_and_has_a_session_of_its_own():
    script = """
        def work():
            print(open("/proc/self/cmdline").read().rstrip(chr(0)), os.getsid(0) == os.getpid(), flush=True)

        print(launched(work))
    """

    assert run(script).splitlines() == ["manage.py run_consumer relay --slot 1 True", "0"]
