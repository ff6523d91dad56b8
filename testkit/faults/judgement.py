"""What each place holds, against what the newsroom did: lost, doubled, disordered, altered."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from testkit.faults.ledger import DELETED, Deeds, Key, State, digest
from testkit.faults.witnesses import Event

FIELDS = ("headline", "standfirst", "body", "tags")


@dataclass(frozen=True)
class Verdict:
    """Numbers of events. Lost: not there; doubled: there more than once; disordered: not in the order, or chain, of
    their article; altered: the article's state, rebuilt, is not the one that the newsroom had; foreign: never made by
    the newsroom.
    """

    found: int
    lost: int
    doubled: int
    disordered: int
    altered: int
    foreign: int

    @property
    def sound(self) -> bool:
        return astuple(self)[1:] == (0, 0, 0, 0, 0)


def judge(events: Iterable[Event], deeds: Deeds, hashes: dict[Key, str]) -> Verdict:
    """`hashes`: what the topic's events have; a place that holds no content is compared with them."""
    counts: Counter[Key] = Counter()
    by_article: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        counts[event.article, event.sequence] += 1
        by_article[event.article].append(event)
    return Verdict(
        found=counts.total(),
        lost=len(deeds.states.keys() - counts.keys()),
        doubled=sum(count - 1 for count in counts.values()),
        disordered=sum(disorder(found) for found in by_article.values()),
        altered=sum(alterations(found, deeds, hashes) for found in by_article.values()),
        foreign=len(counts.keys() - deeds.states.keys()),
    )


def disorder(found: list[Event]) -> int:
    """Events of one article that are out of place: in a topic, behind a later one or in another partition; at rest, off
    the chain.
    """
    if found[0].place:
        last, wrong = 0, 0
        for event in sorted(found, key=_place):
            wrong += event.sequence < last or _place(event)[0] != _place(found[0])[0]
            last = max(last, event.sequence)
        return wrong
    known = {event.sequence: event for event in found}
    return sum(
        event.previous is not None and sequence - 1 in known and event.previous != known[sequence - 1].hash
        for sequence, event in known.items()
    )


def _place(event: Event) -> tuple[int, int]:
    assert event.place, "not of a topic"
    return event.place


def alterations(found: list[Event], deeds: Deeds, hashes: dict[Key, str]) -> int:
    """Events of one article after which it is not what the newsroom had."""
    known = {event.sequence: event for event in found}
    if found[0].content is None:
        return sum(hashes.get((event.article, event.sequence)) != event.hash for event in known.values())
    article = found[0].article
    return sum(
        (article, sequence) in deeds.states and state not in deeds.states[article, sequence]
        for sequence, state in states(known)
    )


def states(events: dict[int, Event]) -> Iterator[tuple[int, str]]:
    """Sequence and digest of each state that can be rebuilt."""
    state: State | None = None
    last = 0
    for sequence in sorted(events):
        content = events[sequence].content
        assert content, "of a place that holds no content"
        if sequence != last + 1:
            state = None
        state, last = rebuilt(state, content), sequence
        if state is not None or content["operation"] == "delete":
            yield sequence, DELETED if content["operation"] == "delete" else digest(state)


def rebuilt(state: State | None, content: Mapping[str, Any]) -> State | None:
    """The state after an event; None where it is not known, or where there is none."""
    if content["operation"] == "delete":
        return None
    if keyframe := content["keyframe"]:
        values = keyframe["values"] | keyframe["relations"]
        return {name: values[name] for name in FIELDS}
    if state is None:
        return None
    changed = {change["field"]: _after(change, state) for change in content["changes"] if change["field"] in FIELDS}
    return {**state, **changed}


def _after(change: Mapping[str, Any], state: State) -> str | list[str]:
    if change["kind"] == "relation":
        return change["after_ids"]
    if change["edits"] is None:
        return change["after"]
    text, at = str(state[change["field"]]), 0
    pieces: list[str] = []
    for edit in change["edits"]:
        pieces += [text[at : edit["position"]], edit["inserted"]]
        at = edit["position"] + len(edit["removed"])
    return "".join(pieces) + text[at:]
