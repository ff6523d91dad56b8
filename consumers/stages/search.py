"""The search sink: enriched events into the search index, each once."""

from collections.abc import Iterator

import orjson
from django.db import DatabaseError, InterfaceError, connections

from audittrail import contracts
from audittrail.events.event import EnrichedEvent
from audittrail.events.event_json import as_json
from audittrail.models import Fork
from audittrail.search import documents, index
from audittrail.search.documents import IndexedDocument
from audittrail.search.index import Fate, SearchUnavailable
from consumers import stages
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.messages import large_payloads
from consumers.messages.decoding import Decoded, decode, rejection
from consumers.records import Outcome, Record, Rejection
from consumers.runtime.stage import Stage

DATABASE = "pipeline"


class SearchSink(Stage):
    """Bulk requests for each batch. An event that is there already is compared by its hash: another hash is a fork, and
    recorded.
    """

    spec = stages.SEARCH

    def open(self) -> None:
        self._codec = schema_registry.codec(contracts.ENRICHED)
        try:
            index.ensure_index()
        except SearchUnavailable as error:
            raise NotReady(str(error)) from error

    def close(self) -> None:
        connections[DATABASE].close()

    def process(self, records: list[Record]) -> Outcome:
        decoded, undecodable = decode(self._codec, schema_registry.schemas(), records)
        whole, unresolvable = large_payloads.resolve_all(decoded)
        try:
            refused = self._store(whole)
        except SearchUnavailable as error:
            raise NotReady(str(error)) from error
        return Outcome(rejections=undecodable + unresolvable + refused)

    def _store(self, decoded: list[Decoded[EnrichedEvent]]) -> list[Rejection]:
        ordered = sorted(decoded, key=lambda item: _key(item.event))
        results = index.write(list(_documents([event for _, event in ordered])))
        _record_forks(
            [event for (_, event), result in zip(ordered, results, strict=True) if result.fate is Fate.EXISTS]
        )
        return [
            rejection(record, event, "refused_by_index", result.detail)
            for (record, event), result in zip(ordered, results, strict=True)
            if result.fate is Fate.REFUSED
        ]


def _key(event: EnrichedEvent) -> tuple[str, int]:
    return event["article_id"], event["sequence"]


def _documents(events: list[EnrichedEvent]) -> Iterator[IndexedDocument]:
    """Documents of events in order of article and sequence, each section carried from the event before, here or in the
    index.
    """
    earlier = index.stored(_unknown_sections(events), ["section"])
    sections = {(article, number): document.get("section") for (article, number), document in earlier.items()}
    for event in events:
        article, number = _key(event)
        document = documents.source(event, sections.get((article, number - 1)))
        sections[article, number] = document["section"]
        yield documents.indexed_now(document)


def _unknown_sections(events: list[EnrichedEvent]) -> list[tuple[str, int]]:
    """The events before those that do not say their section, where these are not among `events`."""
    included = {_key(event) for event in events}
    without_section = (_key(event) for event in events if documents.section_after(event, None) is None)
    return [
        (article, number - 1)
        for article, number in without_section
        if number > 1 and (article, number - 1) not in included
    ]


def _record_forks(events: list[EnrichedEvent]) -> None:
    """Keep those of these events, all in the index already, whose hash is not the index's."""
    known = index.stored(map(_key, events), ["hash"])
    forks = [
        _fork(event, known[_key(event)]["hash"])
        for event in events
        if known[_key(event)]["hash"] != event["hash"].hex()
    ]
    try:
        Fork.objects.using(DATABASE).bulk_create(forks, ignore_conflicts=True)
    except (DatabaseError, InterfaceError) as error:
        raise NotReady(f"the database does not take a fork: {error}") from error


def _fork(event: EnrichedEvent, known_hash: str) -> Fork:
    return Fork(
        article_id=event["article_id"],
        sequence=event["sequence"],
        known_hash=bytes.fromhex(known_hash),
        other_hash=event["hash"],
        other_event=orjson.loads(as_json(event)),
        found_in="search",
    )
