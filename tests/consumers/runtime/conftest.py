"""Processes of a stage that copies, on Kafka in memory and on the real one."""

from collections.abc import Iterator

import pytest

from testkit.consumers.copying import Copies


@pytest.fixture
def copies(kafka) -> Iterator[Copies]:
    copies = Copies(kafka)
    yield copies
    copies.close()
