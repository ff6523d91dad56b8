"""The histogram's bars."""

from datetime import timedelta

from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audittrail.timeline.overview import bars


@given(st.lists(st.tuples(st.integers(0, 10**8), st.booleans()), min_size=1, max_size=60))
def test_bars_count_every_event_and_publication_once(times):
    found = bars([(timezone.now() + timedelta(seconds=seconds), published) for seconds, published in times])
    assert sum(bar.events for bar in found) == len(times)
    assert sum(bar.publications for bar in found) == sum(published for _, published in times)
