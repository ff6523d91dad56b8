"""A trail of its own under fire, on a stack whose services may be killed."""

import pytest

from stack import places
from testkit.faults.trail import Trail
from tests.consumers.conftest import own_contracts, own_trail, partitions  # noqa: F401 - fixtures for the tests here


@pytest.fixture
def trail(own_trail, fresh_database):  # noqa: F811
    """A trail whose services may be killed; skipped on the stack that people share."""
    if places.stack_name() == "dev":
        pytest.skip("services are killed, and Kafka's data deleted: use another stack, as make test does")
    return Trail(own_trail, fresh_database)
