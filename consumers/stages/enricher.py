"""The enricher: adds to each event what it amounts to, and who the actor was at that time."""

from audittrail import contracts
from audittrail.contracts.validation import InvalidEvent
from audittrail.events.event import Event
from consumers import conf, stages
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages import large_payloads
from consumers.messages.decoding import decode, rejection
from consumers.records import Message, Outcome, Record, Rejection
from consumers.runtime.stage import Stage
from consumers.stages.actor_profiles import ActorProfiles
from consumers.stages.enrichment import enrichment

LARGEST_ENRICHED_MESSAGE = 1_000_000
"""Bytes of key, headers and value that a broker takes at its default limit."""


class Enricher(Stage):
    """Raw events in, enriched events out: at the same partition, under the same key, with the same headers, but for the
    type: the action.
    """

    spec = stages.ENRICHER

    def __init__(self) -> None:
        super().__init__()
        self._profiles = ActorProfiles()
        self._to = conf.enriched_topic()

    def open(self) -> None:
        self._raw, self._enriched = codec(contracts.RAW), codec(contracts.ENRICHED)

    def close(self) -> None:
        self._profiles.close()

    def process(self, records: list[Record]) -> Outcome:
        decoded, undecodable = decode(self._raw, schemas(), records)
        self._profiles.learn(event["actor"] for _, event in decoded)
        whole, unresolvable = large_payloads.resolve_all(decoded)
        outcome = Outcome(rejections=undecodable + unresolvable)
        # Content in object storage stays there: the whole event is only looked at.
        sent = {id(record): event for record, event in decoded}
        for record, event in whole:
            result = self._enrich(record, sent[id(record)], event)
            if isinstance(result, Message):
                outcome.messages.append(result)
            else:
                outcome.rejections.append(result)
        return outcome

    def _enrich(self, record: Record, event: Event, whole: Event) -> Message | Rejection:
        added = enrichment(whole, self._profiles.of(event["actor"]))
        try:
            value = self._enriched.encode({**event, **added})
        except InvalidEvent as error:
            return rejection(record, event, "invalid_event", str(error))
        headers = record.headers | {"ce_type": f"audittrail.{added['action']}".encode()}
        message = Message(self._to, record.partition, record.key, value, headers)
        if message.size > LARGEST_ENRICHED_MESSAGE:
            detail = f"{message.size} bytes when enriched; a message takes {LARGEST_ENRICHED_MESSAGE}"
            return rejection(record, event, "too_large", detail)
        return message
