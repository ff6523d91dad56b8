"""An event as a document to search."""

import pytest

from audittrail.events.event import EnrichedEvent
from audittrail.events.field_check import FieldMismatch
from audittrail.search import documents
from testkit.audittrail.events import change, enriched_event, text_change


def created(**values) -> EnrichedEvent:
    keyframe = {
        "values": {"headline": "Tram", "body": "<p>All of it</p>", "section": "3", "slug": None},
        "relations": {},
    }
    return enriched_event(operation="create", changes=[], keyframe=keyframe, **values)


def test_an_edit_is_found_by_what_it_put_in_and_took_out():
    document = documents.source(enriched_event(changes=[text_change("body", (8, "alleged", ""), (30, "was", "is"))]))
    assert document["removed"] == ["alleged", "was"] and document["inserted"] == ["is"]
    assert document["fields_changed"] == ["body"] and document["truncated"] is False


def test_a_creation_puts_in_the_whole_article():
    assert documents.source(created())["inserted"] == ["All of it", "Tram", "3"]


def test_a_text_whose_past_is_unknown_counts_as_put_in():
    event = enriched_event(
        changes=[change("body", "text")], keyframe={"values": {"body": "Now known"}, "relations": {}}
    )
    assert documents.source(event)["inserted"] == ["Now known"]


def test_scalars_and_relations_are_found_by_identity_and_by_name():
    changes = [
        change("status", "scalar", before="draft", after="published"),
        change("tags", "relation", before_ids=[], after_ids=["5"]),
    ]
    document = documents.source(enriched_event(changes=changes, labels={"tags": {"5": "Transport"}}))
    assert document["before"] == ["draft"] and document["after"] == ["published", "5", "Transport"]


@pytest.mark.parametrize(
    ("event", "before", "after"),
    [
        (created(), None, ["3", "Politics"]),
        (enriched_event(), ["3", "Politics"], ["3", "Politics"]),
        (enriched_event(), None, None),
        (enriched_event(changes=[change("section", "scalar", before="3", after=None)]), ["3"], []),
        (enriched_event(changes=[change("section", "scalar", before="3", after="4")]), ["3"], ["4"]),
    ],
)
def test_the_section_is_told_or_carried(event, before, after):
    assert documents.source(event, before)["section"] == after


def test_long_texts_are_cut_and_it_is_said(monkeypatch):
    monkeypatch.setenv("AUDIT_SEARCH_TEXT_LIMIT", "1000")
    document = documents.source(
        enriched_event(changes=[text_change("body", (0, "", "a" * 999), (1, "", "b" * 999), (2, "", "c"))])
    )
    assert document["truncated"] is True
    assert document["inserted"] == ["a" * 999, "b"]


def test_a_field_that_is_not_mapped_is_refused(monkeypatch):
    monkeypatch.setitem(documents.IndexedDocument.__annotations__, "embargo", str)
    with pytest.raises(FieldMismatch, match=r"'embargo' is in .*IndexedDocument, but not in the mapping"):
        documents.require_mapped_fields()


def test_a_mapped_field_that_no_document_has_is_refused(monkeypatch):
    monkeypatch.delitem(documents.DocumentActor.__annotations__, "desk")
    with pytest.raises(FieldMismatch, match=r"'desk' is in the mapping .*, but not in .*DocumentActor"):
        documents.require_mapped_fields()
