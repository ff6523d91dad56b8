"""Edit scripts: speed against difflib and diff-match-patch, and bytes on the wire against JSON snapshots.

    python -m benchmarks.bench_editscript [HISTORY.jsonl.gz]

The history defaults to ../shared/data/peps-history.jsonl.gz; without it, only the made-up articles are measured.
"""

import difflib
import os
import random
import sys
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import orjson
from diff_match_patch import diff_match_patch

from audittrail import contracts
from audittrail.contracts.codec import Codec
from audittrail.events.edit_script import as_records, diff

HISTORY = Path(__file__).parents[2] / "shared" / "data" / "peps-history.jsonl.gz"
WORDS = [
    "tram",
    "council",
    "vote",
    "the",
    "of",
    "minister",
    "said",
    "on",
    "Monday",
    "budget",
    "alleged",
    "a",
    "traffic",
    "school",
]


def article(size: int) -> str:
    """Paragraphs of HTML, about ``size`` code points."""
    rng = random.Random(size)
    sentences, length = [], 0
    while length < size:
        sentences.append("<p>" + ". ".join(" ".join(rng.choices(WORDS, k=14)) for _ in range(4)) + ".</p>\n")
        length += len(sentences[-1])
    return "".join(sentences)


def edited(text: str, share: float) -> str:
    """The text with this share of its words, at least one, replaced."""
    rng, words = random.Random(1), text.split(" ")
    for place in rng.sample(range(len(words)), max(1, int(len(words) * share))):
        words[place] = f"word{place}"
    return " ".join(words)


def seconds(work, at_least: float = 0.3) -> float:
    """Time of one call, from as many as take ``at_least`` seconds."""
    runs, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < at_least or not runs:
        work()
        runs += 1
    return elapsed / runs


def by_words(before: str, after: str) -> list:
    """difflib at its usual: words, without the heuristic that drops frequent ones."""
    return difflib.SequenceMatcher(None, before.split(" "), after.split(" "), autojunk=False).get_opcodes()


def by_dmp(before: str, after: str) -> list:
    peer = diff_match_patch()
    peer.Diff_Timeout = 5
    edits = peer.diff_main(before, after)
    peer.diff_cleanupSemantic(edits)
    return edits


def compare_speed() -> None:
    print(f"{'time of one diff':<34}{'ours':>10}{'difflib':>16}{'diff-match-patch':>22}")
    for size, share in ((10_000, 0.0), (10_000, 0.05), (100_000, 0.0), (100_000, 0.01)):
        before = article(size)
        after = edited(before, share)
        ours, theirs, dmp = (seconds(partial(f, before, after)) for f in (diff, by_words, by_dmp))
        name = f"{size // 1000} kB, {'one word' if not share else f'{share:.0%} of words'}"
        print(
            f"{name:<34}{ours * 1e3:>7.3f} ms{theirs * 1e3:>9.2f} ms ×{theirs / ours:<4.0f}"
            f"{dmp * 1e3:>12.2f} ms ×{dmp / ours:<4.1f}"
        )
    before, after = (" ".join(random.Random(seed).choices(WORDS, k=900_000)) for seed in (1, 2))
    print(f"5 MB, everything changed: {seconds(lambda: diff(before, after), 0):.2f} s")


def event(body_change: list[dict], keyframe: dict | None, number: int, source: dict) -> dict:
    """A raw event of the history, as the relay would write it."""
    digest = os.urandom
    return {
        "event_id": UUID(int=number),
        "article_id": source["article_id"],
        "kind": "newsroom.article",
        "sequence": source["revision"],
        "operation": "create" if keyframe and not body_change else "update",
        "title": source["title"] or "",
        "status": source["status"],
        "occurred_at": datetime.fromisoformat(source["occurred_at"]),
        "recorded_at": datetime.fromisoformat(source["recorded_at"]),
        "actor": {"type": "user", "id": source["author"]["id"], "version": 1, "snapshot": None},
        "context": {
            "request_id": source["commit"],
            "correlation_id": None,
            "ip": None,
            "user_agent": None,
            "channel": "import",
        },
        "changes": body_change,
        "keyframe": keyframe,
        "salt": digest(16),
        "state_digest": digest(32),
        "previous_hash": digest(32),
        "hash": digest(32),
        "schema_version": 2,
        "amendments": [],
    }


def snapshot(one: dict, before: str | None, after: str | None) -> bytes:
    """The same event as JSON with the full body before and after, which an edit script stands in for."""
    plain = one | {name: one[name].hex() for name in ("salt", "state_digest", "previous_hash", "hash")}
    return orjson.dumps(plain | {"changes": [{"field": "body", "before": before, "after": after}], "keyframe": None})


def text_change(before: str, after: str) -> list[dict]:
    return [{"field": "body", "kind": "text", "edits": as_records(diff(before, after))}] if before != after else []


def one_word_on_the_wire(codec: Codec) -> None:
    before = article(100_000)
    source = {
        "article_id": "newsroom.article:42",
        "revision": 7,
        "title": "Tram",
        "status": "draft",
        "author": {"id": "17"},
        "commit": "r" * 36,
    }
    source |= {"occurred_at": "2026-11-23T07:42:16Z", "recorded_at": "2026-11-23T07:42:17Z"}
    after = edited(before, 0)
    one = event(text_change(before, after), None, 1, source)
    ours, theirs = len(codec.encode(one)), len(snapshot(one, before, after))
    print(
        f"one word in a 100 kB article: {ours} bytes on the wire; "
        f"as JSON snapshots {theirs} bytes, ×{theirs / ours:.0f}"
    )


def history_on_the_wire(codec: Codec, path: Path) -> None:
    sys.path.insert(0, str(path.parent))
    from read_history import events

    bodies: dict[str, str | None] = {}
    count, diffing, ours, theirs = 0, 0.0, 0, 0
    for count, source in enumerate(events(str(path)), start=1):
        before, after = bodies.get(source["article_id"]), source["body"]
        start = time.perf_counter()
        changes = text_change(before, after) if before is not None and after is not None else []
        diffing += time.perf_counter() - start
        whole = after is not None and (before is None or source["revision"] % 50 == 0)
        keyframe = {"values": {"body": after, "title": source["title"]}, "relations": {}} if whole else None
        one = event(changes, keyframe, count, source)
        ours += len(codec.encode(one))
        theirs += len(snapshot(one, before, after))
        bodies[source["article_id"]] = after
    print(f"whole history: {count} events diffed in {diffing:.1f} s, {diffing / count * 1e6:.0f} µs each")
    print(
        f"  on the wire, keyframes included: {ours / 1e6:.1f} MB; "
        f"as JSON snapshots {theirs / 1e6:.1f} MB, ×{theirs / ours:.1f}"
    )


def main() -> None:
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 1)
    compare_speed()
    one_word_on_the_wire(codec)
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HISTORY
    if path.exists():
        history_on_the_wire(codec, path)


if __name__ == "__main__":
    main()
