"""One run: a newsroom at work under faults, quiet, and the judgement."""

import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from testkit.faults import ledger, pipeline, witnesses
from testkit.faults.injection import Injector
from testkit.faults.judgement import Verdict, judge
from testkit.faults.ledger import Deeds, Key
from testkit.faults.stalls import Stalls
from testkit.faults.trail import Trail

STARTS_WITHIN = 60
QUIET_WITHIN = 300


@dataclass
class Result:
    """What was done, and what was found."""

    seed: int
    seconds: float
    faults: Counter[tuple[str, str]]
    lost_replies: int
    stalls: dict[str, float]
    caught_up_after: float
    latencies: list[float]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)
    verification: str = ""
    """What verify_trail says, empty when all is well."""

    @property
    def sound(self) -> bool:
        return all(verdict.sound for verdict in self.verdicts.values()) and not self.letters and not self.verification


@dataclass(frozen=True)
class Run:
    """`enough` ends the faults early; `settings`: environment variables of the stages."""

    trail: Trail
    folder: Path
    seed: int
    seconds: float
    rate: float = 40
    settings: dict[str, str] = field(default_factory=dict)
    enough: Callable[[], bool] = lambda: False

    def run(self) -> Result:
        started = time.monotonic()
        proxies = pipeline.proxies(self.trail)
        with pipeline.listening(proxies) as listening:
            environment = self.trail.environment() | pipeline.through(proxies) | self.settings
            with pipeline.Pipeline(environment, self.folder / "consumers.log") as running:
                injector = Injector(self.trail, running, proxies, listening, self.folder / "consumers.log")
                stalls = self._under_fire(injector)
                ended = time.monotonic()
                self.wait_for_quiet()
                result = Result(
                    self.seed,
                    ended - started,
                    injector.done,
                    sum(proxy.lost.total() for proxy in proxies["kafka"]),
                    stalls,
                    time.monotonic() - ended,
                    [],
                )
        return self._judged(result)

    def _under_fire(self, injector: Injector) -> dict[str, float]:
        stalls = Stalls(self.trail)
        with pipeline.newsroom(
            self.trail.environment(), self.ledger, self.folder / "newsroom.log", rate=self.rate, seed=self.seed
        ):
            self._wait_for_work()
            stalls.start()
            injector.run(self.seed, self.seconds, self.enough)
            stalls.stop()
        return stalls.longest

    def _wait_for_work(self) -> None:
        """Until the first event has come through: a fault before that hits nothing."""
        deadline = time.monotonic() + STARTS_WITHIN
        while next(witnesses.rows(self.trail), None) is None:
            assert time.monotonic() < deadline, f"no event came through: see {self.folder}"
            time.sleep(0.2)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    def wait_for_quiet(self) -> None:
        self.trail.manage("wait_until_caught_up", "--timeout", str(QUIET_WITHIN))

    def _judged(self, result: Result) -> Result:
        deeds = ledger.read(self.ledger, witnesses.newsroom(self.trail))
        result.latencies = [seconds for _, seconds in deeds.saves]
        result.verdicts = verdicts(self.trail, deeds)
        result.letters = witnesses.letters(self.trail)
        result.verification = self.trail.verification()
        return result


def verdicts(trail: Trail, deeds: Deeds) -> dict[str, Verdict]:
    """Place → verdict. What has no content is compared with the hashes of the raw topic, which is read first."""
    hashes: dict[Key, str] = {}
    found: dict[str, Verdict] = {}
    for place, read in witnesses.READERS.items():
        events = list(read(trail))
        hashes = hashes or {(event.article, event.sequence): event.hash for event in events}
        found[place] = judge(events, deeds, hashes)
    return found


def report(result: Result) -> str:
    """The result as people read it."""
    kinds: Counter[str] = Counter()
    for (kind, _), count in result.faults.items():
        kinds[kind] += count
    centiles = statistics.quantiles(result.latencies, n=100)
    begun = (
        f"seed {result.seed}, {result.seconds / 60:.1f} minutes under fire, {len(result.latencies):,} saves "
        f"(p50 {centiles[49] * 1000:.1f} ms, p99 {centiles[98] * 1000:.1f} ms), "
        f"caught up {result.caught_up_after:.1f} s after the last fault"
    )
    lines = [
        begun,
        "",
        f"faults injected: {sum(kinds.values())}: "
        + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        f"replies of Kafka lost: {result.lost_replies:,}",
        *(
            f"  {kind:30}"
            + ", ".join(f"{target} {count}" for (k, target), count in sorted(result.faults.items()) if k == kind)
            for kind in sorted(kinds)
        ),
        "",
        "longest stall: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.stalls.items()),
        "",
        f"{'':15}{'found':>9}{'lost':>9}{'doubled':>9}{'disordered':>12}{'altered':>9}{'foreign':>9}",
        *(
            f"{place:15}{v.found:>9,}{v.lost:>9,}{v.doubled:>9,}{v.disordered:>12,}{v.altered:>9,}{v.foreign:>9,}"
            for place, v in result.verdicts.items()
        ),
        f"dead letters: {len(result.letters)} {sorted(set(result.letters)) or ''}",
        f"verify_trail: {result.verification or 'complete'}",
    ]
    return "\n".join(lines)
