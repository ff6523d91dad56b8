"""What is asked of a real index, but for the searches of readers."""

import uuid

import pytest

from audittrail.search import documents, index
from audittrail.search.documents import IndexedDocument
from audittrail.search.index import Fate, SearchUnavailable
from testkit.audittrail import indexes
from testkit.audittrail.indexes import event

EVERYTHING: index.IndexQuery = {"match_all": {}}


def document(article: int, sequence: int, **values) -> IndexedDocument:
    return documents.indexed_now(documents.source(event(article, sequence, **values)))


def titles(*keys: tuple[str, int]) -> list[str]:
    return [each["title"] for each in index.stored(keys, ["title"]).values()]


def test_a_scan_gives_every_document_once_a_page_at_a_time(own_index, monkeypatch):
    monkeypatch.setattr(index, "SCAN_PAGE", 4)
    index.write([document(1, number) for number in range(1, 11)])
    pages = list(index.scan(EVERYTHING))
    assert [len(page) for page in pages] == [4, 4, 2]
    assert sorted(found.document["sequence"] for page in pages for found in page) == list(range(1, 11))


def test_a_scan_does_not_see_what_is_written_meanwhile(own_index, monkeypatch):
    monkeypatch.setattr(index, "SCAN_PAGE", 2)
    index.write([document(1, number) for number in range(1, 5)])
    pages = index.scan(EVERYTHING)
    seen = next(pages)
    index.write([document(2, 1)])
    index.refresh()
    seen += [found for page in pages for found in page]
    assert {found.document["article_id"] for found in seen} == {"newsroom.article:1"} and len(seen) == 4


def test_a_scan_for_ids_fetches_no_documents(own_index):
    index.write([document(1, 1)])
    assert list(index.scan(EVERYTHING, with_documents=False)) == [[("newsroom.article:1:1", {})]]


def test_a_scan_of_another_index_does_not_ask_the_one_in_use(own_index):
    index.write([document(1, 1)])
    index.create(f"{own_index}-000009")
    assert list(index.scan(EVERYTHING, name=f"{own_index}-000009")) == []


def test_overwriting_puts_a_document_in_the_place_of_another(own_index):
    index.write([document(1, 1, title="First")])
    results = index.overwrite([document(1, 1, title="Second"), document(1, 2, title="New")])
    assert [result.fate for result in results] == [Fate.OVERWRITTEN, Fate.CREATED]
    assert titles(("newsroom.article:1", 1), ("newsroom.article:1", 2)) == ["Second", "New"]


def test_a_document_that_does_not_fit_the_mapping_is_refused_with_its_reason(own_index):
    (result,) = index.overwrite([{**document(1, 1), "occurred_at": "yesterday"}])
    assert result.fate is Fate.REFUSED and "occurred_at" in result.detail


def test_counts_of_several_queries_come_at_once(own_index):
    index.write([document(1, 1), document(1, 2), document(2, 1)])
    index.refresh()
    queries = {name: {"term": {"article_id": f"newsroom.article:{name}"}} for name in ("1", "2", "3")}
    assert index.counts_by(queries) == {"1": 2, "2": 1, "3": 0} and index.count() == 3


def test_absent_documents_are_told_without_a_refresh(own_index):
    index.write([document(1, 1)])
    assert index.absent(["newsroom.article:1:1", "newsroom.article:1:2"], index.current()) == ["newsroom.article:1:2"]


def test_an_index_with_blocked_writes_is_unavailable_until_they_are_allowed(own_index):
    index.block_writes(index.current())
    with pytest.raises(SearchUnavailable, match="blocked"):
        index.write([document(1, 1)])
    index.allow_writes(index.current())
    assert [result.fate for result in index.write([document(1, 1)])] == [Fate.CREATED]


def test_the_alias_moves_in_one_step(own_index):
    old, new = index.current(), f"{own_index}-000002"
    index.create(new)
    index.move_alias(old, new)
    assert index.current() == new and index.names() == [old, new]


@pytest.mark.service
def test_without_an_index_every_question_says_so(monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")
    for question in (index.refresh, index.count, index.current, lambda: next(index.scan(EVERYTHING))):
        with pytest.raises(SearchUnavailable, match="no search index"):
            question()
    with pytest.raises(SearchUnavailable, match="no such index"):
        index.overwrite([document(1, 1)])
    assert indexes.names() == []
