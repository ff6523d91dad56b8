"""What is done to the system, when and for how long: decided by a seed alone."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

from testkit.faults.proxy import API_KEYS

STAGES = ("relay", "enricher", "database", "search", "archive")
SERVICES = ("leading broker", "controller", "all brokers", "elasticsearch", "registry", "s3", "postgres", "redis")
PROXIED = ("kafka", "elasticsearch", "registry", "s3", "postgres", "redis")

Kinds = Mapping[str, tuple[str, ...]]
"""Kind of fault → what it may befall."""

OURS: Kinds = {
    "kill": (*STAGES, "supervisor"),
    "freeze": (*STAGES, "supervisor"),
    "restart": (*STAGES, "supervisor"),
    "zombie": STAGES,
}
AROUND: Kinds = {"kill": SERVICES, "freeze": SERVICES, "restart": SERVICES}
BETWEEN: Kinds = {
    "cut": PROXIED,
    "hold": PROXIED,
    "delay": PROXIED,
    "lose replies": tuple(API_KEYS),
    "lose replies, connections too": tuple(API_KEYS),
}
LANES = (OURS, AROUND, BETWEEN)
"""Faults of one lane follow each other; the lanes go at the same time."""
SECONDS = (0.5, 1, 2, 3, 5, 8)
LONG, LONG_SHARE = (12, 20), 0.1
"""Some faults outlast every session and transaction."""
REST = (1.0, 4.0)
"""Between two faults of a lane."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault, what it befalls, how long it lasts, and the seconds of rest after it."""

    kind: str
    target: str
    seconds: float
    rest: float


def lane(kinds: Kinds, seed: int) -> Iterator[Fault]:
    """Faults without end: every kind in turn, so that a short run has them all, and each kind's targets in turn."""
    chance = random.Random(seed)
    while True:
        shuffled = [
            [(kind, target) for target in chance.sample(targets, len(targets))] for kind, targets in kinds.items()
        ]
        chance.shuffle(shuffled)
        for kind, target in filter(None, chain.from_iterable(zip_longest(*shuffled))):
            lengths = LONG if chance.random() < LONG_SHARE else SECONDS
            yield Fault(kind, target, chance.choice(lengths), chance.uniform(*REST))
