"""Appending to the bytes of an event gives what decoding, adding and encoding give."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail import contracts
from audittrail.contracts.codec import Codec, UndecodableEvent
from audittrail.contracts.extension import Extension, NotExtensible
from audittrail.events.event import EnrichedEvent, Event
from consumers.stages.enrichment import enrichment
from testkit.audittrail.events import PROFILE, change, raw_event, text_change

VERSION = contracts.latest(contracts.RAW)
RAW, ENRICHED = Codec(contracts.RAW, VERSION, 5), Codec(contracts.ENRICHED, VERSION, 6)
DATA = RAW.encode(raw_event())
EXTENSION = Extension(RAW, ENRICHED)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
optional = st.none() | texts
profiles = st.none() | st.fixed_dictionaries(dict.fromkeys(PROFILE, texts))
changes = st.builds(change, texts, st.just("scalar"), before=optional, after=optional) | st.builds(
    text_change, texts, st.tuples(st.integers(0, 2**40), texts, texts)
)
events = st.builds(
    raw_event,
    title=texts,
    status=optional,
    operation=st.sampled_from(["create", "update", "delete"]),
    changes=st.lists(changes, max_size=4),
    labels=st.dictionaries(texts, st.dictionaries(texts, texts, max_size=3), max_size=3),
    keyframe=st.none() | st.just({"values": {"headline": "x", "body": None}, "relations": {"tags": ["3"]}}),
)


def registered(identifier: int) -> dict:
    return json.loads(contracts.text({5: contracts.RAW, 6: contracts.ENRICHED}[identifier], VERSION))


@given(events, profiles)
def test_bytes_appended_are_the_event_encoded(event, profile):
    added = enrichment(event, profile)
    assert EXTENSION.extend(RAW.encode(event), added) == ENRICHED.encode(cast(EnrichedEvent, {**event, **added}))


@given(events, profiles)
def test_plain_fields_decide_as_the_event_does(event, profile):
    plain = cast(Event, EXTENSION.read(RAW.encode(event)))
    assert enrichment(plain, profile) == enrichment(event, profile)


def test_what_another_schema_wrote_is_known():
    assert EXTENSION.is_of(RAW.encode(raw_event()))
    assert not EXTENSION.is_of(Codec(contracts.RAW, VERSION, 4).encode(raw_event()))
    assert not EXTENSION.is_of(b"")


@pytest.mark.parametrize(("damaged", "reason"), [(DATA[:-1], "truncated"), (DATA + b"x", "trailing_bytes")])
def test_bytes_that_end_too_soon_or_too_late_are_refused(damaged, reason):
    with pytest.raises(UndecodableEvent, match=reason):
        EXTENSION.read(damaged)


def test_contracts_that_went_apart_are_refused():
    with pytest.raises(NotExtensible, match="enriched version 1 does not begin with the fields of content-audit-trail"):
        Extension(RAW, Codec(contracts.ENRICHED, 1, 6))
