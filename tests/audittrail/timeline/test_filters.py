"""Filters of a timeline as parameters of its address."""

import pytest
from django.http import QueryDict

from audittrail.timeline.filters import BadFilter, Filters
from testkit.audittrail.histories import filters


def test_filters_are_read_from_the_address_and_written_back_to_it():
    asked = filters(actor="newsroom.author:7", since="2026-11-23T11:05:00", text="ferry & boat")
    assert Filters.from_query(QueryDict(asked.query())) == asked


@pytest.mark.parametrize(
    "parameters", [{"since": "yesterday"}, {"until": "2026-13-01"}, {"text": "a\x00b"}, {"actor": "x" * 500}]
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(parameters):
    (name,) = parameters
    with pytest.raises(BadFilter, match=f"^{name}: "):
        filters(**parameters)
