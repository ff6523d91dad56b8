"""Kafka in memory and the real one: what holds for the first must hold for the second. A plugin of pytest."""

import uuid
from collections.abc import Iterator

import pytest

from testkit.kafka.backends import SESSION_SECONDS, Backend, InMemoryBackend, RealBackend


@pytest.fixture
def own_settings(monkeypatch) -> None:
    """Names of its own, and nothing that takes long."""
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")
    monkeypatch.setenv("AUDIT_SESSION_TIMEOUT", str(SESSION_SECONDS))
    monkeypatch.setenv("AUDIT_RETRY_CAP", "1")


@pytest.fixture
def memory(own_settings) -> InMemoryBackend:
    return InMemoryBackend()


@pytest.fixture(params=["in-memory", pytest.param("real", marks=pytest.mark.service)])
def kafka(request, own_settings) -> Iterator[Backend]:
    if request.param == "in-memory":
        yield InMemoryBackend()
        return
    backend = RealBackend()
    yield backend
    backend.close()
