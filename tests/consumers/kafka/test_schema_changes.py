"""The offline check of compatibility decides as the registry does, except where it is stricter on purpose."""

import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, ServerConfig
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.utils import generate_many

from audittrail.contracts.compatibility import STRICTER, incompatibilities
from consumers.kafka import schema_registry
from testkit.consumers.schema_changes import CHANGES, SchemaChange
from testkit.paths import ROOT

RULE = ServerConfig(compatibility=ConfigCompatibilityLevel.BACKWARD_TRANSITIVE)


def _decision(change: SchemaChange) -> bool:
    """The registry's, with a subject made for it and removed."""
    client, subject = schema_registry.client(), f"t{uuid.uuid4().hex[:12]}-value"
    client.register_schema(subject, Schema(json.dumps(change.old), "AVRO"))
    try:
        client.set_config(subject, RULE)
        return client.test_compatibility(subject, Schema(json.dumps(change.new), "AVRO"))
    finally:
        client.delete_subject(subject)
        client.delete_subject(subject, permanent=True)


@pytest.fixture(scope="module")
def decisions() -> dict[str, bool]:
    with ThreadPoolExecutor(4) as calls:
        return dict(zip([change.name for change in CHANGES], calls.map(_decision, CHANGES), strict=True))


def _by_name(change: SchemaChange) -> str:
    return change.name


def test_the_table_is_large_and_has_every_name_once():
    assert len({change.name for change in CHANGES}) == len(CHANGES) >= 40


@pytest.mark.service
@pytest.mark.parametrize("change", CHANGES, ids=_by_name)
def test_the_registry_decides_as_the_table_says(change, decisions):
    assert decisions[change.name] is change.readable


@pytest.mark.parametrize("change", CHANGES, ids=_by_name)
def test_our_decision_is_the_registrys_or_stricter_by_a_named_rule(change):
    rules = {problem.rule for problem in incompatibilities(change.new, change.old)}
    assert (rules <= set(STRICTER)) is change.readable
    assert (not rules) is (change.readable and change.stricter is None)
    assert change.stricter is None or change.stricter in rules


@pytest.mark.parametrize(
    "change", [change for change in CHANGES if change.readable and not change.stricter], ids=_by_name
)
def test_what_we_let_pass_is_read_by_the_codecs_library(change):
    writer, reader = parse_schema(change.old), parse_schema(change.new)
    for value in generate_many(writer, 5):
        data = io.BytesIO()
        schemaless_writer(data, writer, value)
        data.seek(0)
        schemaless_reader(data, writer, reader)


def test_every_stricter_rule_is_shown_and_explained():
    page = (ROOT / "docs" / "evolving-contracts.md").read_text()
    assert {change.stricter for change in CHANGES} - {None} == set(STRICTER)
    assert [rule for rule in STRICTER if f"`{rule}`" not in page] == []
