"""A trail of its own for a test: topics, groups and transactional ids under a prefix of its own, and an empty
database.
"""

import uuid

import pytest

PARTITIONS = 4
"""Of the raw and of the enriched topic of a test's own trail: what a transaction costs the brokers grows with them."""


@pytest.fixture
def partitions() -> int:
    """Of the raw and of the enriched topic; a module that needs more has its own."""
    return PARTITIONS


@pytest.fixture
def own_contracts(fresh_database, partitions, monkeypatch):
    """Contracts registered, database empty; its prefix. Processes started by the test find it in the environment."""
    from django.core.management import call_command

    prefix = f"t{uuid.uuid4().hex[:8]}-"
    monkeypatch.setenv("AUDIT_PREFIX", prefix)
    monkeypatch.setenv("AUDIT_PARTITIONS", str(partitions))
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    call_command("register_schemas")
    yield prefix
    _remove_subjects(prefix)


@pytest.fixture
def own_trail(own_contracts):
    """With topics, too; its prefix."""
    from django.core.management import call_command

    call_command("create_topics")
    yield own_contracts
    _remove_topics(own_contracts)
    _forget_groups()


def _remove_topics(prefix: str) -> None:
    from consumers.kafka import clients

    admin = clients.admin()
    ours = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    for future in admin.delete_topics(ours).values() if ours else ():
        future.result(20)


def _remove_subjects(prefix: str) -> None:
    from audittrail import contracts
    from consumers import conf
    from consumers.kafka import schema_registry

    client = schema_registry.client()
    for subject in (conf.subject(f"{prefix}{contract}") for contract in contracts.contracts()):
        client.delete_subject(subject)
        client.delete_subject(subject, permanent=True)


def _forget_groups() -> None:
    """A reader of positions for each group would live, with threads of its own, until the run ends."""
    from consumers.kafka import clients

    clients.offsets_reader.cache_clear()
