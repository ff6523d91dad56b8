"""Rows of the archive's Parquet as events: what Arrow's own conversion gives, and nothing that is ambiguous."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audittrail.archive import format
from audittrail.integrity import archive_digests
from testkit.audittrail.archives import row
from testkit.audittrail.events import PROFILE, change, enriched_event, text_change

TEXTS = st.text(max_size=5)
NAMES = st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2)
EDITS = st.lists(st.tuples(st.integers(0, 9), TEXTS, TEXTS), max_size=3)
IDENTITIES = st.none() | st.lists(TEXTS, max_size=2)
CHANGES = st.builds(lambda edits: text_change("body", *edits), EDITS) | st.builds(
    lambda before, after: change("tags", "relation", before_ids=before, after_ids=after), IDENTITIES, IDENTITIES
)
KEYFRAMES = st.none() | st.fixed_dictionaries(
    {
        "values": st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2),
        "relations": st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=2),
    }
)
EVENTS = st.builds(
    lambda changes, labels, keyframe, profile, ip: enriched_event(
        changes=changes,
        labels=labels,
        keyframe=keyframe,
        actor_profile=profile,
        context=enriched_event()["context"] | {"ip": ip},
    ),
    st.lists(CHANGES, max_size=3),
    NAMES,
    KEYFRAMES,
    st.sampled_from([None, PROFILE]),
    st.none() | TEXTS,
)


@given(st.lists(EVENTS, max_size=6), st.integers(0, 3))
def test_events_are_what_arrow_itself_makes_of_the_table(events, start):
    some = format.table(events).slice(start)

    assert format.events(some) == some.to_pylist(maps_as_pydicts="strict")


def test_a_map_that_has_a_key_twice_is_refused():
    stored = format.table([row(0)])
    column = stored.column_names.index("labels")
    twice = pa.array(
        [[("section", [("3", "Politics")]), ("section", [("3", "Sport")])]], type=stored.schema.field("labels").type
    )

    with pytest.raises(pa.ArrowInvalid, match="a key twice"):
        format.events(stored.set_column(column, "labels", twice))


def test_the_subprocess_gives_the_same_digests_and_outlives_what_is_no_object():
    content = format.to_parquet(format.table([row(number) for number in (0, 5)]))

    with archive_digests.digest_in_subprocess() as digested:
        assert digested(content) == archive_digests.digest_in_process(content)
        with pytest.raises(archive_digests.Unreadable):
            digested(b"no Parquet")
        assert [event.sequence for event in digested(content)] == [1, 2]


def test_a_subprocess_that_died_is_no_answer(monkeypatch):
    monkeypatch.setattr("audittrail.integrity.archive_digests.sys.executable", "/bin/false")

    died = pytest.raises(archive_digests.SubprocessDied, match="nothing is verified")
    with archive_digests.digest_in_subprocess() as digested, died:
        digested(b"")
