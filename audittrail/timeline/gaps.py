"""Missing sequence numbers and why they are missing: a hole proves a loss or a delay, so it is shown, never skipped.

Each part that may hold missing events registers a function in ``gap_causes``: given an article and missing
sequences, it returns a ``GapCause`` for those it knows of.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from audittrail import outbox
from audittrail.models import OutboxEvent

_EXPLAINED = 100


@dataclass(frozen=True, slots=True)
class GapCause:
    """Why an event is not here, in words, and where something can be done about it."""

    text: str
    url: str = ""
    on_its_way: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing sequences [first, last] with one cause; ``cause`` is None where it is not known."""

    first: int
    last: int
    cause: GapCause | None

    @property
    def count(self) -> int:
        return self.last - self.first + 1


Explain = Callable[[str, list[int]], dict[int, GapCause]]
gap_causes: list[Explain] = []


def gaps(article_id: str, present: Iterable[int], lowest: int, highest: int) -> list[Gap]:
    """What is missing of sequences [lowest, highest], highest first; only the newest hundred are explained."""
    holes = _holes(sorted(present, reverse=True), lowest, highest)
    if not holes:
        return []
    missing = chain.from_iterable(range(last, first - 1, -1) for first, last in holes)
    causes = _causes(article_id, list(islice(missing, _EXPLAINED)))
    return [gap for hole in holes for gap in _by_cause(*hole, causes)]


def _holes(present: list[int], lowest: int, highest: int) -> list[tuple[int, int]]:
    edges = [highest + 1, *present, lowest - 1]
    return [(below + 1, above - 1) for above, below in pairwise(edges) if above - below > 1]


def _causes(article_id: str, missing: list[int]) -> dict[int, GapCause]:
    causes = _outbox_causes(article_id, missing)
    for explain in gap_causes:
        causes |= explain(article_id, missing)
    return causes


def _outbox_causes(article_id: str, missing: list[int]) -> dict[int, GapCause]:
    rows = OutboxEvent.objects.filter(article_id=article_id, sequence__in=missing).annotate(state=outbox.STATE)
    return {
        sequence: _outbox_cause(state, reason)
        for sequence, state, reason in rows.values_list("sequence", "state", "set_aside")
    }


def _outbox_cause(state: str, reason: str | None) -> GapCause:
    if state == outbox.OutboxState.SET_ASIDE:
        return GapCause(
            f"it was set aside at the source because it breaks the contract ({reason}). "
            "A platform admin can release it."
        )
    if state == outbox.OutboxState.PUBLISHED:
        return GapCause("it has been published and is being processed.", on_its_way=True)
    return GapCause("it is captured and waits to be published.", on_its_way=True)


def _by_cause(first: int, last: int, causes: dict[int, GapCause]) -> list[Gap]:
    found: list[Gap] = []
    for sequence in sorted((s for s in causes if first <= s <= last), reverse=True):
        if sequence < last:
            found.append(Gap(sequence + 1, last, None))
        if found and found[-1].cause == causes[sequence]:
            found[-1] = Gap(sequence, found[-1].last, causes[sequence])
        else:
            found.append(Gap(sequence, sequence, causes[sequence]))
        last = sequence - 1
    return [*found, Gap(first, last, None)] if last >= first else found
