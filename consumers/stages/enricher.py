"""The enricher: adds to each event what it amounts to, and who the actor was at that time."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

from audittrail import contracts
from audittrail.contracts.codec import Codec, UndecodableEvent
from audittrail.contracts.extension import Extension, NotExtensible
from audittrail.contracts.validation import InvalidEvent
from audittrail.events.event import EnrichedEvent, Event
from audittrail.events.versions import is_reference
from consumers import conf, stages
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages import large_payloads
from consumers.messages.decoding import decode_one, rejection
from consumers.records import Message, Outcome, Record, Rejection
from consumers.runtime.stage import Stage
from consumers.stages.actor_profiles import ActorProfiles
from consumers.stages.enrichment import Enrichment, enrichment

log = logging.getLogger("consumers.stages.enricher")

LARGEST_ENRICHED_MESSAGE = 1_000_000
"""Bytes of key, headers and value that a broker takes at its default limit."""


class _Read(NamedTuple):
    """A record, its event with all of its content, and what makes the enriched value; that raises InvalidEvent."""

    record: Record
    event: Event
    value_with: Callable[[Enrichment], bytes]


class Enricher(Stage):
    """Raw events in, enriched events out: at the same partition, under the same key, with the same headers, but for the
    type: the action.

    What is added is appended to the bytes that were read; what the relay validated is not validated again, as messages
    are authentic. An event of another version of the contract, or with its content in object storage, is encoded anew.
    """

    spec = stages.ENRICHER

    def __init__(self) -> None:
        super().__init__()
        self._profiles = ActorProfiles()
        self._to = conf.enriched_topic()

    def open(self) -> None:
        self._raw, self._enriched = codec(contracts.RAW), codec(contracts.ENRICHED)
        self._extension = _extension(self._raw, self._enriched)

    def close(self) -> None:
        self._profiles.close()

    def process(self, records: list[Record]) -> Outcome:
        outcome = Outcome()
        found = [self._read(record) for record in records]
        events = [each for each in found if isinstance(each, _Read)]
        outcome.rejections += [each for each in found if isinstance(each, Rejection)]
        self._profiles.learn(each.event["actor"] for each in events)
        for each in events:
            result = self._enrich(each)
            if isinstance(result, Message):
                outcome.messages.append(result)
            else:
                outcome.rejections.append(result)
        return outcome

    def _read(self, record: Record) -> _Read | Rejection:
        data, extension = record.value or b"", self._extension
        if extension is None or not extension.is_of(data):
            return self._read_anew(record)
        try:
            event = cast(Event, extension.read(data))  # but for logical types, which decide nothing here
        except UndecodableEvent as error:
            return Rejection(record, error.reason, error.detail)
        return self._read_anew(record) if is_reference(event) else _Read(record, event, partial(extension.extend, data))

    def _read_anew(self, record: Record) -> _Read | Rejection:
        decoded = decode_one(self._raw, schemas(), record)
        if isinstance(decoded, Rejection):
            return decoded
        try:
            whole = large_payloads.resolve(decoded.event)
        except large_payloads.UnusablePayload as error:
            return rejection(record, decoded.event, error.reason, error.detail)
        # What is in object storage stays there: the whole event is only looked at.
        return _Read(record, whole, lambda added: self._enriched.encode({**decoded.event, **added}))

    def _enrich(self, read: _Read) -> Message | Rejection:
        record, event = read.record, read.event
        added = enrichment(event, self._profiles.of(event["actor"]))
        try:
            value = read.value_with(added)
        except InvalidEvent as error:
            return rejection(record, event, "invalid_event", str(error))
        headers = {**record.headers, "ce_type": f"audittrail.{added['action']}".encode()}
        message = Message(self._to, record.partition, record.key, value, headers)
        if message.size > LARGEST_ENRICHED_MESSAGE:
            detail = f"{message.size} bytes when enriched; a message takes {LARGEST_ENRICHED_MESSAGE}"
            return rejection(record, event, "too_large", detail)
        return message


def _extension(raw: Codec[Event], enriched: Codec[EnrichedEvent]) -> Extension | None:
    """None where the contracts went apart."""
    try:
        return Extension(raw, enriched)
    except NotExtensible as reason:
        log.warning("Every event is encoded anew, which takes longer: %s", reason)
        return None
