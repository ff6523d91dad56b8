"""Processes that outlive the command that started them, known by pid and time of birth.

A pid alone may be another process after a while; together with the boot and the start time that
Linux keeps in /proc it is unique, so a reused pid is never signalled.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stack import places


@dataclass(frozen=True)
class Process:
    """One process: its pid, and `boot id:start time in clock ticks`."""

    pid: int
    birth: str

    @property
    def alive(self) -> bool:
        return _birth(self.pid) == self.birth

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still this process."""
        with contextlib.suppress(ProcessLookupError), _pidfd(self.pid) as descriptor:
            if self.alive:
                signal.pidfd_send_signal(descriptor, number)

    def wait(self, seconds: float) -> bool:
        """Whether the process has ended, at the latest after so many seconds."""
        try:
            with _pidfd(self.pid) as descriptor:
                if not self.alive:
                    return True
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                return bool(poll.poll(seconds * 1000))
        except ProcessLookupError:
            return True

    def vanish(self, seconds: float) -> None:
        """Wait until an ended process has left the process table, at the latest after so many seconds.

        PostgreSQL takes the pid in its lock file for a living server as long as its parent has not collected it.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and Path(f"/proc/{self.pid}").exists():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            time.sleep(0.02)

    def descendants(self) -> list["Process"]:
        """Its children, their children, and so on."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            if fields := _stat(int(entry.name)):
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, queue = [], [self.pid]
        while queue:
            below = children.get(queue.pop(), [])
            queue += below
            found += below
        return [process for pid in found if (process := identify(pid))]

    def memory(self) -> int:
        """Bytes of memory it holds with its descendants; pages shared among them count once."""
        return sum(_proportional_size(process.pid) for process in [self, *self.descendants()])


def identify(pid: int) -> Process | None:
    """The process that has this pid now, if any."""
    birth = _birth(pid)
    return Process(pid, birth) if birth else None


def record(process: Process, path: Path) -> None:
    """Remember a process in a file."""
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps(asdict(process)))
    unfinished.rename(path)


def recall(path: Path) -> Process | None:
    """The process remembered in a file, if it still lives."""
    try:
        process = Process(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return process if process.alive else None


def spawn(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own, its output appended to the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=directory,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_service_user(),
        )


def run(command: Sequence[str], environment: Mapping[str, str], directory: Path, stdin: str = "") -> str:
    """Run a command to its end as the user of the services; its output. Raises CalledProcessError."""
    ended: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=directory,
        input=stdin,
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **_service_user(),
    )
    return ended.stdout


def _service_user() -> dict[str, Any]:
    """Arguments of subprocess for the user of the services; none unless root starts them."""
    if not places.ROOT:
        return {}
    return {"user": places.SERVICE_USER, "group": "nogroup", "extra_groups": []}


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (the name before it may hold spaces); None for no process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def _birth(pid: int) -> str | None:
    fields = _stat(pid)
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def _proportional_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
