import uuid

import pytest

from audittrail import conf
from audittrail.search import index
from testkit.audittrail import indexes


@pytest.fixture
def own_index(monkeypatch):
    """An index of the test's own; its alias."""
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")
    index.ensure_index()
    yield conf.search_index()
    indexes.drop()
