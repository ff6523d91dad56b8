"""What a plan does about what the stores have of an article; the stores themselves are not asked."""

from datetime import UTC, datetime

import pytest

from audittrail.events.event import EnrichedEvent
from audittrail.integrity import holdings, restore
from audittrail.integrity.findings import Finding
from audittrail.integrity.holdings import Holding
from audittrail.integrity.provenance import Copy
from audittrail.integrity.report import VerificationReport
from audittrail.search import documents

ARTICLE = "newsroom.article:42"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
EVERYWHERE = ("database", "archive", "index")
REPORT = VerificationReport(NOW, findings=[Finding("database", "missing", ARTICLE, 1, "")])


def holding(events: list[EnrichedEvent]) -> Holding:
    """All events in all stores, and a head of the last one."""
    whole = Holding(ARTICLE, known=[(6, events[-1]["hash"])])
    section = None
    for event in events:
        whole.copies[event["sequence"]] = [Copy("database", event), Copy("archive", event, "tail/object")]
        document = documents.source(event, section)
        section = document["section"]
        whole.indexed[event["sequence"]] = dict(documents.indexed_now(document))
    return whole


def without(whole: Holding, sequence: int, *stores: str) -> Holding:
    whole.copies[sequence] = [copy for copy in whole.copies[sequence] if copy.store not in stores]
    if "index" in stores:
        del whole.indexed[sequence]
    return whole


@pytest.fixture
def planned(monkeypatch):
    """Plans for a holding: (store, action, sequence, source) of its steps."""

    def plan(held: Holding) -> list[tuple[str, str, int, str]]:
        monkeypatch.setattr(holdings, "read", lambda articles, recent: {ARTICLE: held})
        steps = restore.plan(REPORT, NOW, ARTICLE)
        return [(step.store, step.action, step.sequence, step.source) for step in steps]

    return plan


def test_nothing_is_done_where_all_stores_agree(events, planned):
    assert planned(holding(events)) == []


def test_a_lost_row_comes_from_the_archive(events, planned):
    assert planned(without(holding(events), 3, "database")) == [("database", "insert", 3, "archive")]


def test_a_lost_archive_event_and_document_come_from_the_database(events, planned):
    held = without(without(holding(events), 2, "archive"), 5, "index")
    assert planned(held) == [("archive", "create", 2, "database"), ("index", "index", 5, "database")]


def test_an_altered_row_is_replaced_and_keeps_what_it_was(events: list[EnrichedEvent], planned) -> None:
    held = holding(events)
    altered: EnrichedEvent = {**events[3], "title": "Another"}
    held.copies[4][0] = Copy("database", altered)
    assert planned(held) == [("database", "replace", 4, "archive")]
    (step,) = restore.plan(REPORT, NOW, ARTICLE)
    assert (step.event, step.altered) == (events[3], altered)
    assert step.without_contents().event is None and step.without_contents().identity == step.identity


def test_an_altered_document_is_overwritten(events, planned):
    held = holding(events)
    held.indexed[2] = {**held.indexed[2], "title": "Another"}
    assert planned(held) == [("index", "overwrite", 2, "database")]


def test_an_event_that_only_the_outbox_has_is_published_again(events, planned):
    held = without(holding(events), 6, *EVERYWHERE)
    held.in_outbox.add(6)
    assert planned(held) == [("database", "publish", 6, "outbox")]


def test_an_event_on_its_way_is_waited_for(events, planned):
    held = without(holding(events), 6, *EVERYWHERE)
    held.in_flight.add(6)
    assert planned(held) == []


def test_what_no_store_can_prove_stays(events, planned):
    held = holding(events)
    for sequence in held.copies:
        held.copies[sequence] = [
            Copy(copy.store, {**copy.event, "labels": {"tags": {"1": copy.store}}}) for copy in held.copies[sequence]
        ]
    held.indexed.clear()
    assert planned(held) == []


def test_two_hashes_for_one_sequence_prove_nothing(events, planned):
    held = without(holding(events), 3, "database")
    held.known.append((3, bytes(32)))
    held.known.append((3, events[2]["hash"]))
    assert planned(held) == []
