"""A real editorial history through the whole pipeline, processes killed on its way, and what every place then holds.

The file says what each article was after each revision, its body with a SHA-256; the witnesses say what there is.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

import psycopg

from newsroom.history.reader import read
from stack import processes
from stack.processes import Process
from testkit.faults.judgement import Verdict
from testkit.faults.ledger import Deeds, digest
from testkit.faults.pipeline import Pipeline
from testkit.faults.run import verdicts
from testkit.faults.schedule import STAGES
from testkit.faults.stalls import Stalls
from testkit.faults.trail import Trail
from testkit.paths import ROOT
from testkit.waiting import until

IMPORT = "import"
PROCESSES = (*STAGES, "supervisor", IMPORT)
LOOK_SECONDS = 0.2
QUIET_WITHIN = 1800


@dataclass
class Result:
    """Seconds from the start of the import until each stage had done its last, the bytes each process held at most, and
    what was found.
    """

    events: int
    killed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    """Topic → messages that kcat counts as a read_committed reader."""
    verification: str = ""
    """What verify_trail says, empty when all is well."""

    @property
    def sound(self) -> bool:
        counts = {*self.messages.values(), *(verdict.found for verdict in self.verdicts.values())}
        return (
            counts == {self.events}
            and all(verdict.sound for verdict in self.verdicts.values())
            and not self.verification
        )


class Peaks(threading.Thread):
    """The most memory that each process was seen to have held, in bytes, until `stop`."""

    def __init__(self, living: Callable[[], Iterable[tuple[str, Process | None]]]):
        super().__init__(name="peaks", daemon=True)
        self._living, self._stopping = living, threading.Event()
        self.bytes: dict[str, int] = {}

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for name, process in self._living():
                if process:
                    self.bytes[name] = max(self.bytes.get(name, 0), _high_water(process.pid))


def _high_water(pid: int) -> int:
    """Bytes; 0 for a process that has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclass
class Passage:
    """The history's way through a trail that is empty. `kills`: who gets a SIGKILL, one after the other, at even
    distances of the import.
    """

    trail: Trail
    history: Path
    folder: Path
    kills: tuple[str, ...] = ()
    _importer: subprocess.Popen | None = None

    def run(self) -> Result:
        result = Result(sum(1 for _ in read(self.history)))
        with Pipeline(self.trail.environment(), self.folder / "consumers.log") as self._consumers:
            moves, peaks = Stalls(self.trail), Peaks(self._living)
            until(lambda: all(self._consumers.process(name) for name in STAGES), what="every stage running")
            moves.start()
            peaks.start()
            started = time.monotonic()
            result.killed = self._import(result.events)
            result.seconds[IMPORT] = time.monotonic() - started
            self.trail.manage("wait_until_caught_up", "--timeout", str(QUIET_WITHIN))
            result.seconds["all in database, index and archive"] = time.monotonic() - started
            moves.stop()
            peaks.stop()
        result.seconds |= {stage: at - started for stage, at in moves.moved_at.items()}
        result.memory = peaks.bytes
        return self._judged(result)

    def _import(self, events: int) -> list[str]:
        """Import everything, however often the import dies; who was killed meanwhile."""
        due = [(events * number // (len(self.kills) + 1), name) for number, name in enumerate(self.kills, 1)]
        killed = []
        while True:
            with self._importing() as self._importer:
                while (status := self._importer.poll()) is None:
                    time.sleep(LOOK_SECONDS)
                    if due and self._imported() >= due[0][0]:
                        killed.append(self._kill(due.pop(0)[1]))
            if status != -SIGKILL:
                assert status == 0, (self.folder / "import.log").read_text()
                return killed

    @contextmanager
    def _importing(self) -> Iterator[subprocess.Popen]:
        command = [sys.executable, "manage.py", "import_history", str(self.history)]
        with (self.folder / "import.log").open("ab") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=self.trail.environment(), stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _imported(self) -> int:
        with psycopg.connect(**self.trail.superuser) as connection:
            found = connection.execute("SELECT coalesce(sum(revision), 0) FROM newsroom_importedarticle").fetchone()
        assert found
        return found[0]

    def _kill(self, name: str) -> str:
        process = dict(self._living())[name]
        assert process, f"{name} does not run: nothing to kill"
        process.signal(SIGKILL)
        return name

    def _living(self) -> Iterator[tuple[str, Process | None]]:
        for name in (*STAGES, "supervisor"):
            yield name, self._consumers.process(name)
        yield IMPORT, processes.identify(self._importer.pid) if self._importer else None

    def _judged(self, result: Result) -> Result:
        result.verdicts = verdicts(self.trail, told(self.trail, self.history))
        result.messages = {name: counted_by_kcat(self.trail, name) for name in (self.trail.raw, self.trail.enriched)}
        result.verification = self.trail.verification()
        return result


def told(trail: Trail, history: Path) -> Deeds:
    """What the file says that was done; reading it compares each body with its SHA-256."""
    with psycopg.connect(**trail.superuser) as connection:
        articles = {
            name: f"newsroom.article:{pk}"
            for name, pk in connection.execute("SELECT external_id, article_pk FROM newsroom_importedarticle")
        }
    return Deeds(
        {(articles[event.article_id], event.revision): {_state(event.title, event.body)} for event in read(history)}
    )


def _state(title: str, body: str | None) -> str:
    return digest(None if body is None else {"headline": title, "standfirst": "", "body": body, "tags": []})


def counted_by_kcat(trail: Trail, topic: str) -> int:
    """Messages of a topic that a read_committed reader gets."""
    command = [
        "kcat",
        "-b",
        trail.addresses.kafka_bootstrap,
        "-t",
        topic,
        "-C",
        "-e",
        "-q",
        "-o",
        "beginning",
        "-X",
        "isolation.level=read_committed",
    ]
    return len(subprocess.run([*command, "-f", "%o\n"], capture_output=True, text=True, check=True).stdout.splitlines())


def report(result: Result) -> str:
    """The result as people read it."""
    megabytes = ", ".join(f"{name} {size / 2**20:.0f} MB" for name, size in result.memory.items())
    lines = [
        f"{result.events:,} events; killed on their way: {', '.join(result.killed) or 'nobody'}",
        "seconds from the start of the import until each had done its last:",
        *(f"  {name:36}{seconds:8.1f} s" for name, seconds in sorted(result.seconds.items(), key=lambda item: item[1])),
        f"most memory held: {megabytes}",
        *(f"  {place:16}{verdict}" for place, verdict in result.verdicts.items()),
        *(f"  kcat, read_committed: {count:,} in {topic}" for topic, count in result.messages.items()),
        f"verify_trail: {result.verification or 'complete'}",
    ]
    return "\n".join(lines)
