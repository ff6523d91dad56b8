import json
import re
import subprocess
import sys
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.integrity import chain
from audittrail.integrity.chain import Chain
from testkit.audittrail.articles import Article
from testkit.audittrail.events import text_change
from testkit.paths import ROOT


@pytest.fixture
def article():
    """Ten events, keyframes at 1 and 6."""
    article = Article()
    article.save(title="Tram", body="The alleged thief ran.", status="draft", tags=["1", "2"])
    article.save(body="The thief ran.")
    article.save(tags=["2", "1"])
    article.save(status="published")
    article.save(body="The thief ran away.", title="Thief")
    article.save(keyframe=True, body="The thief was caught.")
    article.save(status=None)
    article.save()
    article.save(body=None)
    article.save(body="Everything new.")
    return article


def findings(events):
    walker = Chain("newsroom.article:42")
    return [(found.sequence, found.kind) for event in events for found in walker.feed(event)]


def rehashed(event, **values):
    """The event altered by somebody who then computes its hash anew."""
    altered = event | values
    return altered | {"hash": chain.event_hash(altered)}


def test_an_untouched_chain_has_no_findings(article):
    assert findings(article.events) == []


def test_deletion_and_return_have_no_findings(article):
    article.delete()
    article.save(title="Again", body="New.", status="draft", tags=[])
    article.save(body="Newer.")
    assert findings(article.events) == []


@pytest.mark.parametrize("lost", range(2, 10))
def test_every_lost_event_is_a_gap(article, lost):
    found = findings([event for event in article.events if event["sequence"] != lost])
    assert found == [(lost, "gap")]


def test_a_missing_beginning_is_a_gap(article):
    assert findings(article.events[3:]) == [(1, "gap")]


def test_checking_resumes_at_a_keyframe(article):
    events = [event for event in article.events if event["sequence"] != 3]
    events[7] = events[7] | {"changes": [text_change("body", (4, "thief", "hero"))]}
    assert findings(events) == [(3, "gap"), (9, "state_digest")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", UUID(int=1)),
        ("kind", "newsroom.page"),
        ("operation", "saved"),
        ("salt", bytes(16)),
        ("state_digest", bytes(32)),
        ("actor", {"type": "user", "id": "18", "version": 3}),
        ("actor", {"type": "user", "id": "17", "version": 4}),
        ("actor", {"type": "system", "id": "17", "version": 3}),
        *(
            (
                "context",
                {"request_id": "r-1", "ip": "192.0.2.7", "user_agent": "Firefox", "channel": "admin", name: "x"},
            )
            for name in ("request_id", "correlation_id", "ip", "user_agent", "channel")
        ),
    ],
)
def test_altered_metadata_breaks_the_hash(article, field, value):
    article.events[7] = article.events[7] | {field: value}
    assert (8, "hash") in findings(article.events)


@pytest.mark.parametrize("field", ["occurred_at", "recorded_at"])
def test_a_microsecond_breaks_the_hash(article, field):
    moment = article.events[7][field]
    article.events[7] = article.events[7] | {field: moment.replace(microsecond=moment.microsecond + 1)}
    assert findings(article.events) == [(8, "hash")]


def test_a_rewritten_event_breaks_the_next_ones_previous_hash(article):
    article.events[7] = rehashed(article.events[7], kind="newsroom.page")
    assert findings(article.events) == [(9, "previous_hash")]


def test_exchanged_events_break_previous_hash(article):
    one, two = article.events[2], article.events[3]
    article.events[2:4] = [two | {"sequence": 3}, one | {"sequence": 4}]
    assert (3, "previous_hash") in findings(article.events)


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (1, [text_change("body", (4, "alleged ", "innocent "))]),
        (1, []),
        (3, [{"field": "status", "kind": "scalar", "before": "draft", "after": "pitched", "edits": None}]),
        (2, [{"field": "tags", "kind": "relation", "before_ids": ["1", "2"], "after_ids": ["1"], "edits": None}]),
    ],
)
def test_altered_content_breaks_the_state_digest_once(article, index, changes):
    article.events[index] = article.events[index] | {"changes": changes}
    assert findings(article.events) == [(index + 1, "state_digest")]


def test_an_altered_keyframe_breaks_the_state_digest(article):
    keyframe = article.events[0]["keyframe"]
    article.events[0] = article.events[0] | {"keyframe": keyframe | {"values": keyframe["values"] | {"title": "Bus"}}}
    assert findings(article.events)[0] == (1, "state_digest")


def test_altered_changes_beside_a_sound_keyframe_are_found(article):
    article.events[5] = article.events[5] | {"changes": [text_change("body", (10, "ran away.", "was shot."))]}
    assert findings(article.events) == [(6, "change_mismatch")]


def test_an_altered_before_is_found(article):
    [status] = article.events[3]["changes"]
    article.events[3] = article.events[3] | {"changes": [status | {"before": "pitched"}]}
    assert findings(article.events) == [(4, "change_mismatch")]


def test_a_second_event_of_a_sequence_is_a_repeat_or_a_fork(article):
    last = article.events[-1]
    assert findings([*article.events, last]) == [(10, "repeat")]
    assert findings([*article.events, rehashed(last, kind="newsroom.page")]) == [(10, "fork")]


def test_an_unresolved_payload_is_said_and_not_mistaken_for_tampering(article):
    article.events[4] = article.events[4] | {"payload": {"sha256": bytes(32), "size": 1}, "changes": []}
    assert findings(article.events) == [(5, "unresolved_payload")]


def test_the_digest_of_a_deleted_article_is_that_of_nothing(article):
    assert article.delete()["state_digest"] == sha256(b"").digest()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.binary(min_size=32, max_size=32)))
def test_fields_are_digested_in_the_order_of_their_bytes(leaves):
    in_order = sorted(leaves.items(), key=lambda item: item[0].encode())
    expected = b"".join(len(name.encode()).to_bytes(4) + name.encode() + digest for name, digest in in_order)
    assert chain.state_digest(leaves) == sha256(expected).digest()


@given(
    st.none() | st.text(st.sampled_from("ab")) | st.lists(st.text(st.sampled_from("ab"))),
    st.none() | st.text(st.sampled_from("ab")) | st.lists(st.text(st.sampled_from("ab"))),
)
def test_different_values_have_different_leaves(one, two):
    assert (chain.leaf(bytes(16), "f", one) == chain.leaf(bytes(16), "f", two)) == (
        one == two and type(one) is type(two)
    )


def exported(event) -> str:
    """An event as a line of the API's export."""
    names = ("salt", "state_digest", "previous_hash", "hash")
    times = {name: event[name].isoformat(timespec="microseconds") for name in ("occurred_at", "recorded_at")}
    return json.dumps(
        event | {name: event[name].hex() for name in names} | times | {"event_id": str(event["event_id"])}
    )


def verify_chain(*lines):
    script = [sys.executable, "-I", str(ROOT / "scripts" / "verify_chain.py"), "-"]
    return subprocess.run(script, input="\n".join(lines), capture_output=True, text=True, check=False)


def test_the_stand_alone_script_agrees_on_a_sound_chain(article):
    other = Article("newsroom.article:43")
    other.save(title="Bus", body="Late.", tags=[])
    other.delete()
    result = verify_chain(*map(exported, [*article.events[::-1], *other.events]))
    assert (result.returncode, result.stdout) == (0, "12 events of 2 articles: all well\n")


@pytest.mark.parametrize(
    ("index", "values", "words"),
    [
        (7, {"kind": "newsroom.page"}, "#8: hash does not fit"),
        (1, {"changes": []}, "#2: state_digest does not fit"),
        (
            5,
            {"changes": [text_change("body", (10, "ran away.", "was shot."))]},
            "#6: body: the change does not lead to the keyframe",
        ),
        (3, {"previous_hash": bytes(32)}, "#4: previous_hash is not"),
    ],
)
def test_the_stand_alone_script_finds_what_was_altered(article, index, values, words):
    article.events[index] = article.events[index] | values
    result = verify_chain(*map(exported, article.events))
    assert result.returncode == 1
    assert words in result.stdout


def test_the_stand_alone_script_finds_a_gap(article):
    result = verify_chain(*(exported(event) for event in article.events if event["sequence"] != 4))
    assert result.returncode == 1
    assert "#4: missing" in result.stdout


def worked_example():
    article = Article("newsroom.article:7")
    article.save(title="Tram", body="The alleged thief ran.", tags=["4", "2"])
    article.save(body="The thief ran.")
    return article.events


def test_the_documented_example_is_what_the_code_computes():
    text = (ROOT / "docs" / "chain.md").read_text()
    created, edited = worked_example()
    lines = re.findall(r"^\{.*\}$", text, re.MULTILINE)
    assert [json.loads(line) for line in lines] == [json.loads(exported(event)) for event in (created, edited)]
    documented = set(re.findall(r"`([0-9a-f]{64})`", text))
    leaves = {
        name: chain.leaf(created["salt"], name, value)
        for name, value in (("title", "Tram"), ("body", "The alleged thief ran."), ("tags", ["4", "2"]))
    }
    body = chain.leaf(edited["salt"], "body", "The thief ran.")
    digests = [*leaves.values(), body, created["state_digest"], created["hash"], edited["state_digest"], edited["hash"]]
    assert documented == {digest.hex() for digest in digests}


def test_the_documented_example_passes_the_stand_alone_script():
    lines = re.findall(r"^\{.*\}$", (ROOT / "docs" / "chain.md").read_text(), re.MULTILINE)
    assert verify_chain(*lines).returncode == 0
