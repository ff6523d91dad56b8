"""The contracts and the event's types are one definition: a field in one of them alone keeps every process from
starting.
"""

import copy
import json
import subprocess
import sys

import pytest

from audittrail import contracts
from audittrail.contracts.event_types import require_same_types
from audittrail.events import event as event_module
from audittrail.events.event import EnrichedEvent, Event
from audittrail.events.field_check import FieldMismatch
from testkit.paths import ROOT

EMBARGO = {"name": "embargo", "type": ["null", "string"], "default": None, "doc": "Not before this time."}


@pytest.fixture(params=[contracts.RAW, contracts.ENRICHED])
def contract(request) -> str:
    return request.param


@pytest.fixture
def add_version(tmp_path, monkeypatch):
    """Makes a schema the newest version of a contract, in a folder of the test's own."""

    def add(contract: str, schema: dict) -> None:
        for name in (contracts.RAW, contracts.ENRICHED):
            (tmp_path / f"{name}.v1.avsc").write_text(contracts.text(name, contracts.latest(name)))
        (tmp_path / f"{contract}.v2.avsc").write_text(json.dumps(schema))
        monkeypatch.setattr(contracts, "_FOLDER", tmp_path)
        contracts._files.cache_clear()

    yield add
    monkeypatch.undo()
    contracts._files.cache_clear()


def newest(contract: str) -> dict:
    return json.loads(contracts.text(contract, contracts.latest(contract)))


def event_type(contract: str) -> type:
    return Event if contract == contracts.RAW else EnrichedEvent


def field_of(schema: dict, name: str) -> dict:
    return next(field for field in schema["fields"] if field["name"] == name)


def test_a_field_added_to_a_contract_and_nowhere_else_is_refused(contract, add_version):
    schema = newest(contract)
    schema["fields"].append(EMBARGO)
    add_version(contract, schema)
    with pytest.raises(FieldMismatch) as refused:
        contracts.require_event_fields()
    assert str(refused.value) == (
        f"field 'embargo' is in the contract {contract}.v2.avsc, "
        f"but not in audittrail.events.event.{event_type(contract).__name__}: an event is defined once, so change both"
    )


def test_a_field_added_to_the_event_and_nowhere_else_is_refused(contract, monkeypatch):
    monkeypatch.setitem(event_type(contract).__annotations__, "embargo", str)
    with pytest.raises(FieldMismatch, match=rf"'embargo' is in .*\.{event_type(contract).__name__}, but not in .*avsc"):
        contracts.require_event_fields()


def test_importing_the_contracts_checks_them():
    program = (
        "from audittrail.events import event; event.Event.__annotations__['embargo'] = str; import audittrail.contracts"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1 and "field 'embargo' is in audittrail.events.event.Event" in ended.stderr


def test_fields_of_nested_records_are_compared(contract):
    schema = newest(contract)
    field_of(schema, "changes")["type"]["items"]["fields"].append(EMBARGO)
    with pytest.raises(FieldMismatch, match=r"'changes\[\]\.embargo' is in here, but not in"):
        require_same_types(schema, "here", event_type(contract))


@pytest.mark.parametrize(
    ("name", "other", "problem"),
    [
        ("sequence", "string", "'sequence' is str in here, but int in"),
        ("title", ["null", "string"], "'title' is str or None in here, but str in"),
        ("event_id", "string", "'event_id' is str in here, but UUID in"),
        ("hash", {"type": "array", "items": "bytes"}, "'hash\\[\\]' is in here, but not in"),
        (
            "labels",
            {"type": "map", "values": {"type": "map", "values": "long"}},
            "'labels{}{}' is int in here, but str",
        ),
    ],
)
def test_types_are_compared(contract, name, other, problem):
    schema = copy.deepcopy(newest(contract))
    field_of(schema, name)["type"] = other
    with pytest.raises(FieldMismatch, match=problem):
        require_same_types(schema, "here", event_type(contract))


def test_names_of_fields_are_in_the_order_of_the_contract(contract):
    names = event_module.CAPTURED_FIELDS if contract == contracts.RAW else event_module.ENRICHED_FIELDS
    assert list(names) == [field["name"] for field in newest(contract)["fields"]]
