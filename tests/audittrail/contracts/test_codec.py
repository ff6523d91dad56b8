import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest
from fastavro import parse_schema
from hypothesis import example, given
from hypothesis import strategies as st

from audittrail import contracts
from audittrail.contracts import upcasters
from audittrail.contracts.codec import Codec, UndecodableEvent, schema_id
from audittrail.contracts.validation import InvalidEvent
from audittrail.events.event import Event
from testkit.audittrail.events import enriched_event, raw_event, text_change

STORED = Path(__file__).parent / "stored"
LATEST = contracts.latest(contracts.RAW)
RAW = Codec(contracts.RAW, LATEST, 5)
EVENTS = {contracts.RAW: raw_event(), contracts.ENRICHED: enriched_event()}


def registered(identifier: int) -> dict:
    return {
        5: json.loads(contracts.text(contracts.RAW, LATEST)),
        6: json.loads(contracts.text(contracts.ENRICHED, LATEST)),
        7: {"type": "string"},
    }[identifier]


def reason(data: bytes) -> str:
    with pytest.raises(UndecodableEvent) as caught:
        RAW.decode(data, registered)
    return caught.value.reason


@pytest.mark.parametrize(("contract", "identifier"), [(contracts.RAW, 5), (contracts.ENRICHED, 6)])
def test_an_event_comes_back_as_it_went(contract, identifier):
    codec = Codec(contract, LATEST, identifier)
    assert codec.decode(codec.encode(EVENTS[contract]), registered) == EVENTS[contract]


def test_the_frame_is_confluents():
    data = RAW.encode(raw_event())
    assert struct.unpack_from(">bI", data) == (0, 5)
    assert schema_id(data) == 5


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 - hypothesis wants its bounds naive
def test_times_keep_their_microseconds(moment):
    event = raw_event(occurred_at=moment.replace(tzinfo=UTC))
    assert RAW.decode(RAW.encode(event), registered)["occurred_at"] == event["occurred_at"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.text(st.characters(exclude_categories=["Cs"])),
        )
    )
)
def test_edit_scripts_come_back_as_they_went(edits):
    event = raw_event(changes=[text_change("body", *edits)])
    assert RAW.decode(RAW.encode(event), registered) == event


def test_what_has_a_default_may_be_left_out():
    event = raw_event()
    del event["labels"], event["payload"]
    assert RAW.decode(RAW.encode(event), registered) == raw_event(labels={})


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"sequence": "7"}, "sequence"),
        ({"sequence": None}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"title": None}, "title"),
        ({"occurred_at": None}, "occurred_at"),
        ({"actor": None}, "actor"),
        ({"changes": [{}]}, "Change.field"),
        ({"changes": [text_change("body", ("x", "", ""))]}, "Edit.position"),
        ({"title": "\ud800"}, "event"),
        ({"sequnce": 7}, "event"),
    ],
)
def test_an_event_that_does_not_fit_its_schema_is_refused_by_name(values, field):
    with pytest.raises(InvalidEvent) as caught:
        RAW.encode(raw_event(**values))
    assert caught.value.field == field


def test_a_missing_sequence_is_named():
    event = {name: value for name, value in raw_event().items() if name != "sequence"}
    with pytest.raises(InvalidEvent, match="sequence"):
        RAW.encode(cast(Event, event))


DATA = RAW.encode(raw_event())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "truncated"),
        (b"\x00\x00\x00\x00", "truncated"),
        (DATA[:-1], "truncated"),
        (b"\x01" + DATA[1:], "wrong_magic_byte"),
        (b"{" + DATA[1:], "wrong_magic_byte"),
        (b"\x00\x00\x00\x00\x63" + DATA[5:], "unknown_schema_id"),
        (b"\x00\x00\x00\x00\x06" + DATA[5:], "wrong_schema"),
        (b"\x00\x00\x00\x00\x07" + DATA[5:], "wrong_schema"),
        (DATA + b"\x00", "trailing_bytes"),
        (DATA.replace(b"01998f2e", b"zzzzzzzz"), "malformed"),
        (DATA.replace(b"Council", b"Counci\xff"), "invalid_utf8"),
        (DATA[:5] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + b"x" * 100, "truncated"),
    ],
)
def test_bad_bytes_have_a_reason(data, expected):
    assert reason(data) == expected


@given(st.integers(5, len(DATA) - 1), st.binary(min_size=1, max_size=12))
@example(5, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(5, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
def test_whatever_bytes_come_there_is_one_kind_of_error(position, noise):
    data = DATA[:position] + noise + DATA[position + len(noise) :]
    try:
        RAW.decode(data, registered)
    except UndecodableEvent as error:
        refused = error.reason
    else:
        refused = "none"
    assert refused.isidentifier()


@given(st.integers(0, len(DATA) - 1))
def test_every_truncation_is_noticed(length):
    assert reason(DATA[:length]) == "truncated"


def test_a_schema_nested_without_end_is_too_deep():
    nested = {
        "type": "record",
        "name": "audittrail.ContentAuditEvent",
        "fields": [{"name": "event_id", "type": ["null", "audittrail.ContentAuditEvent"]}],
    }
    with pytest.raises(UndecodableEvent) as caught:
        Codec(contracts.RAW, LATEST, 5).decode(b"\x00\x00\x00\x00\x05" + b"\x02" * 1_000_000, lambda _: nested)
    assert caught.value.reason == "too_deep"


def test_a_registry_that_is_away_is_not_the_messages_fault():
    def away(_):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Codec(contracts.RAW, LATEST, 5).decode(DATA, away)


def test_a_schema_is_asked_for_once():
    registry = Mock(side_effect=registered)
    codec = Codec(contracts.RAW, LATEST, 5)
    for _ in range(3):
        codec.decode(DATA, registry)
    registry.assert_called_once_with(5)


def newer_schema() -> dict:
    schema = json.loads(contracts.text(contracts.RAW, LATEST)) | {"x-contract-version": LATEST + 1}
    schema["fields"].append({"name": "embargo", "type": ["null", "string"], "default": None})
    return schema


@pytest.fixture
def newer(monkeypatch):
    """A codec of a later version, with an optional field more."""
    known = contracts.schema
    monkeypatch.setattr(
        contracts,
        "schema",
        lambda contract, version: parse_schema(newer_schema()) if version == LATEST + 1 else known(contract, version),
    )
    return Codec(contracts.RAW, LATEST + 1, 8)


def test_an_older_event_is_read_into_the_newer_shape(newer):
    assert newer.decode(DATA, registered) == raw_event(embargo=None)


def test_a_newer_event_is_read_by_the_older_version(newer):
    data = newer.encode(raw_event(embargo="2026-12-01", schema_version=LATEST + 1))
    assert RAW.decode(data, lambda _: newer_schema()) == raw_event(schema_version=LATEST + 1)


def test_an_upcaster_does_what_resolution_cannot(newer, monkeypatch):
    monkeypatch.setitem(
        upcasters.UPCASTERS,
        (contracts.RAW, LATEST),
        lambda written, resolved: resolved | {"embargo": f"from {written['sequence']}"},
    )
    assert newer.decode(DATA, registered)["embargo"] == "from 7"


@pytest.mark.parametrize(
    ("contract", "version"), [(c, v) for c in (contracts.RAW, contracts.ENRICHED) for v in contracts.versions(c)]
)
def test_bytes_of_every_version_that_ever_existed_are_read(contract, version):
    stored = (STORED / f"{contract}.v{version}.bin").read_bytes()
    codec = Codec(contract, contracts.latest(contract), 1)
    event = codec.decode(stored, lambda _: json.loads(contracts.text(contract, version)))
    assert {name: event[name] for name in EVENTS[contract]} == EVENTS[contract] | {"schema_version": version}
