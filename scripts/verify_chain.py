#!/usr/bin/env python3
"""Recompute the chain of exported audit events, with nothing but Python's standard library.

    python verify_chain.py events.jsonl        (or - for standard input)

One event a line, as the API exports them: bytes in hexadecimal, times in ISO 8601 with microseconds; events of several
articles may be mixed, in any order. Prints what is wrong and exits with status 1, or the number of events and articles
and exits with status 0. What is computed, and why, is in docs/chain.md.
"""

import hashlib
import json
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Event = dict[str, Any]
"""As json.loads reads it: metadata, actor, context, changes and keyframe."""
Value = str | list[str] | None
"""Of a field: its text, the identities of a relation, or null."""
State = dict[str, Value]
Leaves = dict[str, bytes]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lp(text: str) -> bytes:
    data = text.encode("utf-8")
    return len(data).to_bytes(4, "big") + data


def n(text: str | None) -> bytes:
    return b"\x00" if text is None else b"\x01" + lp(text)


def int8(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)


def micros(moment: str) -> int:
    return (datetime.fromisoformat(moment.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)


def leaf(salt: bytes, field: str, value: Value) -> bytes:
    encoded = (
        b"\x02" + len(value).to_bytes(4, "big") + b"".join(map(lp, value)) if isinstance(value, list) else n(value)
    )
    return hashlib.sha256(salt + lp(field) + encoded).digest()


def state_digest(leaves: Leaves) -> str:
    names = sorted(leaves, key=lambda name: name.encode("utf-8"))
    return hashlib.sha256(b"".join(lp(name) + leaves[name] for name in names)).hexdigest()


def event_hash(event: Event) -> str:
    actor, context = event["actor"], event["context"]
    parts = [
        bytes.fromhex(event["previous_hash"]), b"audit-trail/1", uuid.UUID(event["event_id"]).bytes,
        lp(event["article_id"]), lp(event["kind"]), int8(event["sequence"]), lp(event["operation"]),
        int8(micros(event["occurred_at"])), int8(micros(event["recorded_at"])),
        lp(actor["type"]), n(actor["id"]), int8(actor["version"] or 0),
        *(n(context.get(name)) for name in ("request_id", "correlation_id", "ip", "user_agent", "channel")),
        bytes.fromhex(event["salt"]), bytes.fromhex(event["state_digest"]),
    ]  # fmt: skip
    return hashlib.sha256(b"".join(parts)).hexdigest()


def edited(text: str, edits: list[dict[str, Any]]) -> str:
    pieces: list[str] = []
    at = 0
    for edit in edits:
        position, end = edit["position"], edit["position"] + len(edit["removed"])
        if position < at or text[position:end] != edit["removed"] or end > len(text):
            raise ValueError(f"the edit at {position} does not fit the text")
        pieces += [text[at:position], edit["inserted"]]
        at = end
    return "".join(pieces) + text[at:]


def changed(state: State, event: Event) -> State:
    state = dict(state)
    for change in event["changes"]:
        field = change["field"]
        if change["kind"] == "relation":
            before, after = change["before_ids"] or [], change["after_ids"] or []
            same = (state.get(field) or []) == before
        elif change["edits"] is not None:
            same, after = True, edited(str(state.get(field) or ""), change["edits"])
        elif change["kind"] == "scalar" or event["keyframe"] is None:
            same, after = state.get(field) == change["before"], change["after"]
        else:
            continue  # the text before is not known: the keyframe has the one after
        if not same:
            raise ValueError(f"{field}: the value before is not what the article had")
        state[field] = after
    return state


def keyframe_state(event: Event, before: State | None) -> State:
    """The state a keyframe gives, which the event's own changes must lead to."""
    state: State = {**event["keyframe"]["values"], **event["keyframe"]["relations"]}
    if before is not None and event["operation"] != "create":
        after = changed(before, event)
        unknown = {
            change["field"] for change in event["changes"] if change["kind"] == "text" and change["edits"] is None
        }
        for field in {*state, *after} - unknown:
            # A relation that is not tracked any more, or not yet, has nothing in it.
            if none_if_empty(state.get(field)) != none_if_empty(after.get(field)):
                raise ValueError(f"{field}: the change does not lead to the keyframe")
    return state


def none_if_empty(value: Any) -> Any:
    return None if value == [] else value


def advanced(event: Event, state: State | None, leaves: Leaves) -> tuple[State | None, Leaves]:
    """State and leaves after the event; None and {} while they are not known. Raises ValueError for a change that does
    not fit.
    """
    salt = bytes.fromhex(event["salt"])
    if event["operation"] == "delete":
        return {}, {}
    if event["keyframe"] is not None:
        state = keyframe_state(event, state)
        return state, {field: leaf(salt, field, value) for field, value in state.items()}
    if state is None:
        return None, {}
    state = changed(state, event)
    return state, {**leaves, **{c["field"]: leaf(salt, c["field"], state[c["field"]]) for c in event["changes"]}}


def verify(events: Iterable[Event]) -> Iterator[tuple[int, str]]:
    """Yield (sequence, problem) for one article's events, in order of sequence."""
    sequence = 0
    previous: str | None = "00" * 32
    state: State | None = {}
    leaves: Leaves = {}
    for event in events:
        if event["sequence"] <= sequence:
            yield event["sequence"], "a second event of this sequence"
            continue
        if event["sequence"] > sequence + 1:
            yield sequence + 1, f"missing, up to {event['sequence'] - 1}"
            previous = state = None
        if previous not in (None, event["previous_hash"]):
            yield event["sequence"], "previous_hash is not the hash of the event before"
        if event_hash(event) != event["hash"]:
            yield event["sequence"], "hash does not fit the event's metadata"
        try:
            state, leaves = advanced(event, state, leaves)
            if state is not None and state_digest(leaves) != event["state_digest"]:
                raise ValueError("state_digest does not fit the article's content")
        except ValueError as error:
            yield event["sequence"], str(error)
            state, leaves = None, {}
        sequence, previous = event["sequence"], event["hash"]


def main(path: str) -> int:
    articles: dict[str, list[Event]] = {}
    with nullcontext(sys.stdin) if path == "-" else Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                event = json.loads(line)
                articles.setdefault(event["article_id"], []).append(event)
    wrong = 0
    for article, events in sorted(articles.items()):
        for sequence, problem in verify(sorted(events, key=lambda event: event["sequence"])):
            print(f"{article} #{sequence}: {problem}")
            wrong += 1
    events_read = sum(map(len, articles.values()))
    print(f"{events_read} events of {len(articles)} articles: {f'{wrong} wrong' if wrong else 'all well'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["-"]))
