"""A trail of its own under fire, on a stack whose services may be killed."""

import pytest

from consumers.kafka import clients
from stack import places
from testkit.faults.trail import Trail


@pytest.fixture
def trail(own_trail, fresh_database):
    """A trail whose services may be killed; skipped on the stack that people share."""
    if places.stack_name() == "dev":
        pytest.skip("services are killed, and Kafka's data deleted: use another stack, as make test does")
    yield Trail(own_trail, fresh_database)
    # A connection that a fault has broken is found to be so by its next use, which fails.
    clients.admin.cache_clear()
