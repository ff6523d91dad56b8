"""Copies of events in a store, compared with the database's."""

from audittrail.integrity.fingerprints import EventDigest
from audittrail.integrity.store_comparison import Comparison, Witness, compare_events

ARTICLE = "newsroom.article:1"
KNOWN = {
    (ARTICLE, sequence): Witness(b"event %d" % sequence, b"document %d" % sequence, b"hash %d" % sequence)
    for sequence in (1, 2, 3)
}
COPIES = [EventDigest(*key, witness.hash, witness.event) for key, witness in KNOWN.items()]


def compared(copies: list[EventDigest], in_scope=lambda key: True) -> tuple[list[tuple[str, int]], list[int]]:
    """(kind, sequence) of what is found, and the sequences that the store lacks."""
    comparison = Comparison("a store", KNOWN, in_scope)
    findings = list(compare_events(comparison, copies))
    assert {finding.store for finding in findings} <= {"a store"}
    return [(finding.kind, finding.sequence) for finding in findings], [key[1] for key in comparison.remaining()]


def test_the_same_events_in_any_order_are_sound():
    assert compared(COPIES[::-1]) == ([], [])


def test_what_the_store_lacks_remains():
    assert compared([COPIES[0], COPIES[2]]) == ([], [2])


def test_an_event_held_twice_is_doubled():
    assert compared([*COPIES, COPIES[1]]) == ([("doubled", 2)], [])


def test_an_event_that_the_database_does_not_have_is_added():
    assert compared([*COPIES, EventDigest(ARTICLE, 9, b"hash 9", b"event 9")]) == ([("added", 9)], [])


def test_another_hash_is_forged_and_other_content_altered():
    forged, altered = COPIES[0]._replace(hash=b"another"), COPIES[1]._replace(fingerprint=b"another")
    assert compared([forged, altered, COPIES[2]]) == ([("forged", 1), ("altered", 2)], [])


def test_of_a_store_without_whole_events_places_and_hashes_are_compared():
    bare = [copy._replace(fingerprint=None) for copy in COPIES]
    assert compared(bare) == ([], [])
    assert compared([bare[0]._replace(hash=b"another"), *bare[1:]]) == ([("forged", 1)], [])


def test_a_copy_out_of_scope_is_not_looked_at():
    assert compared([COPIES[0]._replace(hash=b"another")], in_scope=lambda key: False) == ([], [1, 2, 3])
