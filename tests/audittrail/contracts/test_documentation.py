"""The contracts' pages say what the files say, with examples that are valid."""

from datetime import datetime
from typing import cast
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from jsonschema import Draft7Validator

from audittrail import contracts
from audittrail.contracts import documentation
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import validate
from audittrail.events.event import Event
from audittrail.management.commands import document_contracts


def test_the_pages_are_what_the_contracts_say():
    call_command("document_contracts", "--check")


def test_a_stale_page_is_named_and_made_anew(tmp_path, monkeypatch, settings):
    monkeypatch.setattr(document_contracts, "folder", lambda: tmp_path)
    settings.BASE_DIR = tmp_path
    call_command("document_contracts")
    page = tmp_path / f"{contracts.RAW}.md"
    page.write_text(page.read_text().replace("microseconds", "milliseconds"))

    with pytest.raises(CommandError, match=f"^{contracts.RAW}.md: not what the contracts say"):
        call_command("document_contracts", "--check")
    call_command("document_contracts")
    call_command("document_contracts", "--check")


@pytest.mark.parametrize("contract", contracts.contracts())
def test_every_field_has_an_example(contract):
    without = [field.path for field in documentation.fields(contract) if not _shown(contract, field.path)]
    assert without == []


def _shown(contract: str, path: str) -> bool:
    return any(
        value is not None
        for example in documentation.examples(contract)
        for value in documentation._values(example, path)
    )


def _event(example: dict, bytes_fields=("salt", "state_digest", "previous_hash", "hash")) -> Event:
    """An example as the codec takes it."""
    payload = example["payload"]
    event = example | {
        "event_id": UUID(example["event_id"]),
        **{name: datetime.fromisoformat(example[name]) for name in ("occurred_at", "recorded_at")},
        **{name: bytes.fromhex(example[name]) for name in bytes_fields},
        "payload": payload and payload | {"sha256": bytes.fromhex(payload["sha256"])},
    }
    return cast(Event, event)


@pytest.mark.parametrize("contract", [contracts.RAW, contracts.ENRICHED])
def test_the_examples_fit_their_contract(contract):
    for example in documentation.examples(contract):
        event = _event(example)
        Codec(contract, contracts.latest(contract), 1).encode(event)
        validate(event)


def test_the_examples_of_dead_letters_fit_their_contract():
    schema = contracts.schema(contracts.DEAD_LETTERS, contracts.latest(contracts.DEAD_LETTERS))
    for example in documentation.examples(contracts.DEAD_LETTERS):
        Draft7Validator(schema).validate(example)
