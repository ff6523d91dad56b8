"""What the newsroom did, written down by itself beside every transaction: a file of JSON lines.

An article's states are numbered from 1 under its row's lock; a number is the sequence that its event must have. A line
is written before each commit and one after it; a commit whose outcome was never heard is settled by the article's row
in the end.
"""

import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

State = Mapping[str, str | list[str]]
"""Field → text, or identities in any order."""

DELETED = "deleted"
Key = tuple[str, int]
"""Article and number."""


def digest(state: State | None) -> str:
    """A state in brief; None for a deleted article."""
    if state is None:
        return DELETED
    plain = {name: sorted(value) if isinstance(value, list) else value for name, value in state.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


class Ledger:
    """Written by all threads of a newsroom."""

    def __init__(self, path: Path):
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._attempts = 0

    def attempt(self, states: Iterable[tuple[str, int, State | None]]) -> int:
        """A transaction is about to commit these states; the number of the attempt."""
        with self._lock:
            self._attempts += 1
            self._write(
                {
                    "attempt": self._attempts,
                    "states": [[article, number, digest(state)] for article, number, state in states],
                }
            )
            return self._attempts

    def committed(self, attempt: int, seconds: float) -> None:
        """It has committed, so many seconds after the save was begun."""
        with self._lock:
            self._write({"committed": attempt, "at": time.time(), "seconds": round(seconds, 5)})

    def _write(self, line: Mapping[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


class Contradiction(Exception):
    """The ledger and the newsroom's own tables do not fit: the harness is wrong, or PostgreSQL lost a commit."""


@dataclass
class Deeds:
    """What was done: for each article and number the digests it may have (several only where commits were never heard
    of).
    """

    states: dict[Key, set[str]] = field(default_factory=dict)
    saves: list[tuple[float, float]] = field(default_factory=list)
    """When each save committed (seconds since 1970), and the seconds it took."""

    @property
    def articles(self) -> set[str]:
        return {article for article, _ in self.states}


def read(path: Path, last: Mapping[str, tuple[int, str]]) -> Deeds:
    """What was done by a ledger. `last`: number and digest of each article that exists now. Raises Contradiction."""
    attempts: dict[int, list[tuple[str, int, str]]] = {}
    heard: dict[int, tuple[float, float]] = {}
    for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        if "attempt" in line:
            attempts[line["attempt"]] = line["states"]
        else:
            heard[line["committed"]] = line["at"], line["seconds"]
    sure: dict[Key, set[str]] = defaultdict(set)
    possible: dict[Key, set[str]] = defaultdict(set)
    for attempt, states in attempts.items():
        for article, number, state in states:
            (sure if attempt in heard else possible)[article, number].add(state)
    return Deeds(_settled(sure, possible, last), list(heard.values()))


def _settled(
    sure: Mapping[Key, set[str]], possible: Mapping[Key, set[str]], last: Mapping[str, tuple[int, str]]
) -> dict[Key, set[str]]:
    settled: dict[Key, set[str]] = {}
    for article in {article for article, _ in [*sure, *possible]}:
        final = last[article][0] if article in last else _deleted_at(article, sure, possible)
        for number in range(1, final + 1):
            states = sure.get((article, number)) or possible.get((article, number))
            if not states or ((article, number) in sure and len(states) > 1):
                raise Contradiction(f"{article} #{number}: {len(states or ())} commits in the ledger")
            settled[article, number] = states
        if article in last and last[article][1] not in settled[article, final]:
            raise Contradiction(f"{article} #{final}: its row is none of the states in the ledger")
    if beyond := sure.keys() - settled.keys():
        raise Contradiction(f"{len(beyond)} commits are not in the newsroom's tables: {sorted(beyond)[:3]}")
    return settled


def _deleted_at(article: str, sure: Mapping[Key, set[str]], possible: Mapping[Key, set[str]]) -> int:
    """The number of the deletion of an article that is not there; 0 if it was never committed."""
    numbers = [
        number
        for known in (sure, possible)
        for (name, number), states in known.items()
        if name == article and DELETED in states
    ]
    if not numbers and any(name == article for name, _ in sure):
        raise Contradiction(f"{article} is gone, and nobody deleted it")
    return max(numbers, default=0)
