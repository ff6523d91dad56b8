"""Contracts in the registry: registered once, checked, remembered."""

import json
import uuid

import pytest
from django.core.management import CommandError, call_command

from audittrail import contracts
from consumers import conf
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.kafka.schema_registry import Schemas

AWAY = {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}


@pytest.fixture
def own_subjects(monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")


def test_registers_every_contract_once(own_subjects, capsys):
    call_command("register_schemas")
    call_command("register_schemas")
    said = capsys.readouterr().out
    kept = sum(len(contracts.versions(contract)) for contract in contracts.contracts())
    assert (said.count("to be registered"), said.count(": registered, id")) == (kept, 2 * kept)
    subject = conf.subject(conf.raw_topic())
    assert schema_registry.client().get_versions(subject) == contracts.versions(contracts.RAW)
    assert schema_registry.client().get_compatibility(subject) == "BACKWARD_TRANSITIVE"


def test_check_fails_while_something_is_not_registered(own_subjects):
    with pytest.raises(CommandError, match="not registered"):
        call_command("register_schemas", "--check")
    call_command("register_schemas")
    call_command("register_schemas", "--check")


def test_an_incompatible_version_is_refused_by_field_and_rule(own_subjects, monkeypatch):
    call_command("register_schemas")
    broken = json.loads(contracts.text(contracts.RAW, 1)) | {"x-contract-version": 2}
    broken["fields"] = [field for field in broken["fields"] if field["name"] != "hash"] + [
        {"name": "checksum", "type": "bytes"}
    ]
    known = contracts.text
    monkeypatch.setattr(
        contracts, "schema_type", lambda contract: "AVRO" if contract != contracts.DEAD_LETTERS else "JSON"
    )
    monkeypatch.setattr(contracts, "versions", lambda contract: [1, 2] if contract == contracts.RAW else [1])
    monkeypatch.setattr(
        contracts, "text", lambda contract, version: json.dumps(broken) if version == 2 else known(contract, version)
    )
    with pytest.raises(CommandError) as refused:
        call_command("register_schemas", "--check")
    assert "checksum: reader_field_missing_default_value" in str(refused.value)
    assert "hash: reader_field_missing_default_value" in str(refused.value)


@pytest.mark.enable_socket
def test_a_registry_that_is_away_is_named(monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CommandError, match=r"127\.0\.0\.1:9 does not answer"):
        call_command("register_schemas")


def test_a_schema_is_asked_for_once(own_subjects):
    call_command("register_schemas")
    answering = schema_registry.client()
    schemas = Schemas(answering)
    identifier = schemas.id_of(contracts.RAW, 1)
    schema = schemas.by_id(identifier)
    schemas._registry = None  # type: ignore[assignment]  # away from now on
    assert (schemas.id_of(contracts.RAW, 1), schemas.by_id(identifier)) == (identifier, schema)


def test_an_unknown_id_is_no_schema(own_subjects):
    for unknown in (2**31 - 1, 2**31, 2**32 - 1):
        with pytest.raises(LookupError):
            Schemas(schema_registry.client()).by_id(unknown)


def test_what_is_not_registered_is_waited_for(own_subjects):
    with pytest.raises(NotReady, match=r"run manage\.py register_schemas"):
        Schemas(schema_registry.client()).id_of(contracts.RAW, 1)


@pytest.mark.enable_socket
def test_a_registry_that_is_away_is_waited_for(monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    for question in (lambda schemas: schemas.id_of(contracts.RAW, 1), lambda schemas: schemas.by_id(1)):
        with pytest.raises(NotReady, match="away"):
            question(Schemas(schema_registry.client()))
