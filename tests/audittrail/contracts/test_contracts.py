import json

import pytest
from jsonschema import Draft7Validator

from audittrail import contracts
from audittrail.contracts.compatibility import check, conflicts, incompatibilities

AVRO = [(c, v) for c in contracts.contracts() if contracts.schema_type(c) == "AVRO" for v in contracts.versions(c)]


def records(schema):
    """All records in a schema, however deep."""
    if isinstance(schema, list):
        for branch in schema:
            yield from records(branch)
    if isinstance(schema, dict):
        if schema.get("type") == "record":
            yield schema
        for key in ("type", "items", "values"):
            if not isinstance(schema.get(key), str):
                yield from records(schema.get(key))
        for field in schema.get("fields", ()):
            yield from records(field["type"])


def fields(contract, version):
    return [field for record in records(json.loads(contracts.text(contract, version))) for field in record["fields"]]


def test_the_contracts_are_the_three_topics():
    assert contracts.contracts() == [contracts.RAW, contracts.DEAD_LETTERS, contracts.ENRICHED]


def test_an_unknown_contract_and_version_are_named():
    with pytest.raises(contracts.UnknownContract, match="no contract 'nothing'"):
        contracts.versions("nothing")
    with pytest.raises(contracts.UnknownContract, match="no version 99"):
        contracts.schema(contracts.RAW, 99)


@pytest.mark.parametrize("contract", contracts.contracts())
def test_versions_are_numbered_without_gaps_and_say_their_number(contract):
    versions = contracts.versions(contract)
    assert versions == list(range(1, contracts.latest(contract) + 1))
    assert [json.loads(contracts.text(contract, version))["x-contract-version"] for version in versions] == versions


@pytest.mark.parametrize(("contract", "version"), AVRO)
def test_every_field_is_documented(contract, version):
    assert [field["name"] for field in fields(contract, version) if not field.get("doc")] == []


@pytest.mark.parametrize(("contract", "version"), AVRO)
def test_every_optional_field_has_a_default(contract, version):
    optional = [
        f
        for f in fields(contract, version)
        if isinstance(f["type"], list) or (isinstance(f["type"], dict) and f["type"]["type"] in ("array", "map"))
    ]
    assert [field["name"] for field in optional if "default" not in field] == []


def test_an_enriched_event_begins_with_the_fields_of_the_raw_one():
    raw, enriched = (
        [f["name"] for f in contracts.schema(c, contracts.latest(c))["fields"]]
        for c in (contracts.RAW, contracts.ENRICHED)
    )
    assert enriched[: len(raw)] == raw


def test_dead_letters_are_a_closed_draft_07_schema():
    schema = contracts.schema(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS))
    Draft7Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("contract", sorted({contract for contract, _ in AVRO}))
def test_the_kept_versions_can_read_each_other(contract):
    assert check(contract) == []


def record(*fields, name="R"):
    return {"type": "record", "name": name, "fields": list(fields)}


def field(type, **more):
    return {"name": "x", "type": type, **more}


A, B = {"name": "a", "type": "int"}, {"name": "b", "type": "string"}


@pytest.mark.parametrize(
    ("reader", "writer", "expected"),
    [
        (record(A, B), record(A), [("b", "reader_field_missing_default_value")]),
        (record(A, B | {"default": ""}), record(A), []),
        (record(A), record(A, B), []),
        (record(A, B | {"name": "c", "aliases": ["b"]}), record(A, B), []),
        (record(A, B | {"name": "c"}), record(A, B), [("c", "reader_field_missing_default_value")]),
        (record(field("long")), record(field("int")), []),
        (record(field("int")), record(field("long")), [("x", "type_mismatch")]),
        (record(field("double")), record(field("long")), []),
        (record(field("bytes")), record(field("string")), []),
        (record(field("string")), record(field("int")), [("x", "type_mismatch")]),
        (record(field(["null", "int"])), record(field("int")), []),
        (record(field("int")), record(field(["null", "int"])), [("x", "type_mismatch")]),
        (record(field(["null", "int"])), record(field(["null", "string"])), [("x", "missing_union_branch")]),
        (record(field({"type": "array", "items": "long"})), record(field({"type": "array", "items": "int"})), []),
        (
            record(field({"type": "array", "items": record(A, B, name="I")})),
            record(field({"type": "array", "items": record(A, name="I")})),
            [("x[].b", "reader_field_missing_default_value")],
        ),
        (
            record(field({"type": "map", "values": "int"})),
            record(field({"type": "map", "values": "string"})),
            [("x{}", "type_mismatch")],
        ),
        (
            record(field({"type": "enum", "name": "E", "symbols": ["a"]})),
            record(field({"type": "enum", "name": "E", "symbols": ["a", "b"]})),
            [("x", "missing_enum_symbols")],
        ),
        (
            record(field({"type": "enum", "name": "E", "symbols": ["a"], "default": "a"})),
            record(field({"type": "enum", "name": "E", "symbols": ["a", "b"]})),
            [],
        ),
        (
            record(field({"type": "fixed", "name": "F", "size": 16})),
            record(field({"type": "fixed", "name": "F", "size": 32})),
            [("x", "fixed_size_mismatch")],
        ),
        (
            record(field(record(A, B, name="N"))),
            record(field(record(A, name="N"))),
            [("x.b", "reader_field_missing_default_value")],
        ),
        (record(A, name="R"), record(A, name="S"), [("", "name_mismatch")]),
    ],
)
def test_an_incompatibility_names_field_and_rule(reader, writer, expected):
    assert [(problem.field, problem.rule) for problem in incompatibilities(reader, writer)] == expected


def test_conflicts_are_found_in_both_directions():
    found = conflicts({"v1": record(A), "v2": record(A, B), "v3": record(A)})
    assert [(c.reader, c.writer, c.problem.field) for c in found] == [("v2", "v1", "b"), ("v2", "v3", "b")]


def test_a_required_field_without_a_default_is_told_in_words():
    [conflict] = conflicts({"v1": record(A), "v2": record(A, B)})
    assert str(conflict).startswith("v2 cannot read what v1 wrote: b: reader_field_missing_default_value")
