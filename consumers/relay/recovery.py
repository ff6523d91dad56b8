"""What a lane does first: compare the batch number that Kafka holds with what PostgreSQL intended."""

from dataclasses import dataclass
from enum import Enum


class LaneHalted(Exception):
    """Going on could lose or double events, as where Kafka and PostgreSQL contradict each other: a person decides."""


class Recovery(Enum):
    """What to do with the batch under way."""

    FINISH = "it is in Kafka: mark its rows published"
    PUBLISH = "it is not in Kafka, if there is one: publish it"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a lane is by PostgreSQL: number of the last finished batch, number and outbox ids of the one under way."""

    done: int
    intent: int | None
    rows: tuple[int, ...] = ()


def recovery(progress: Progress, number: int | None) -> Recovery:
    """Judge the batch number committed in Kafka (None: there is none). Raises LaneHalted."""
    if number is None and progress.done == 0:
        return Recovery.PUBLISH
    if number is None:
        raise LaneHalted(
            f"Kafka has no batch number, though batch {progress.done} was published: "
            f"the cluster is a new one, or the number expired. {_REMEDY}"
        )
    if number == progress.intent:
        return Recovery.FINISH
    if number == progress.done:
        return Recovery.PUBLISH
    ahead = "ahead of" if number > progress.done else "behind"
    known = progress.intent or progress.done
    raise LaneHalted(
        f"Kafka is {ahead} PostgreSQL: batch {number} there, {known} here; "
        f"one of them was restored or failed over. {_REMEDY}"
    )


_REMEDY = "See 'When the relay halts' in docs/operating.md."
