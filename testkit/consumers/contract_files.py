"""Contracts in a folder of the test's own, where versions can be added that never existed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audittrail import contracts
from consumers.kafka import schema_registry

KEPT = Path(contracts.__file__).parent


class ContractFiles:
    """Copies of the kept contracts; `add` makes them those of this process."""

    def __init__(self, folder: Path):
        self.folder = folder
        for path in KEPT.iterdir():
            if path.suffix in (".avsc", ".json"):
                shutil.copy(path, folder)

    def add(self, contract: str, *fields: dict) -> Path:
        """A version after the latest, with these fields more."""
        version = contracts.latest(contract) + 1
        schema = json.loads(contracts.text(contract, version - 1)) | {"x-contract-version": version}
        schema["fields"].extend(fields)
        return self.add_text(contract, json.dumps(schema))

    def add_text(self, contract: str, text: str) -> Path:
        """A version after the latest, word for word."""
        suffix = "avsc" if contracts.schema_type(contract) == "AVRO" else "json"
        path = self.folder / f"{contract}.v{contracts.latest(contract) + 1}.{suffix}"
        path.write_text(text)
        forget()
        return path

    def remove(self, path: Path) -> None:
        path.unlink()
        forget()


def forget() -> None:
    """What this process remembers of contracts and of the registry."""
    for remembered in (contracts._files, contracts.text, contracts.schema, schema_registry.schemas):
        remembered.cache_clear()


@pytest.fixture
def contract_files(tmp_path, monkeypatch) -> Iterator[ContractFiles]:
    monkeypatch.setattr(contracts, "_FOLDER", tmp_path)
    files = ContractFiles(tmp_path)
    forget()
    yield files
    monkeypatch.undo()
    forget()
