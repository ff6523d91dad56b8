"""The contracts: what an event on each topic looks like, as files, every version kept.

A contract is named by the base name of its topic (without prefix); its versions count from 1. Version N of contract C
is the file ``C.vN.avsc`` (Avro) or ``C.vN.json`` (JSON Schema, draft-07) in this folder. The newest versions of the
event's contracts describe the event as audittrail.events.event defines it; importing this package checks that.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import fastavro

from audittrail.contracts.event_types import require_same_types
from audittrail.events.event import EnrichedEvent, Event

RawContract = Literal["content-audit-trail"]
EnrichedContract = Literal["content-audit-trail.enriched"]

RAW: RawContract = "content-audit-trail"
ENRICHED: EnrichedContract = "content-audit-trail.enriched"
DEAD_LETTERS = "content-audit-trail.dead-letters"

SchemaDocument = dict[str, Any]
"""A schema as JSON."""

_FOLDER = Path(__file__).parent
_FILE = re.compile(r"(?P<contract>.+)\.v(?P<version>[1-9]\d*)\.(?P<format>avsc|json)")


class UnknownContract(LookupError):
    """No contract of that name, or no such version of it."""


@cache
def _files() -> dict[str, dict[int, Path]]:
    files: dict[str, dict[int, Path]] = {}
    for path in _FOLDER.iterdir():
        if match := _FILE.fullmatch(path.name):
            files.setdefault(match["contract"], {})[int(match["version"])] = path
    return files


def contracts() -> list[str]:
    """Names of all contracts, sorted."""
    return sorted(_files())


def versions(contract: str) -> list[int]:
    """Versions of a contract, oldest first. Raises UnknownContract."""
    if contract not in _files():
        raise UnknownContract(f"no contract {contract!r}; known: {', '.join(contracts())}")
    return sorted(_files()[contract])


def latest(contract: str) -> int:
    """The newest version of a contract. Raises UnknownContract."""
    return versions(contract)[-1]


def _path(contract: str, version: int) -> Path:
    if version not in versions(contract):
        raise UnknownContract(f"contract {contract!r} has no version {version}; known: {versions(contract)}")
    return _files()[contract][version]


def schema_type(contract: str) -> str:
    """``AVRO`` or ``JSON``, as the schema registry calls them. Raises UnknownContract."""
    return "AVRO" if _path(contract, latest(contract)).suffix == ".avsc" else "JSON"


@cache
def text(contract: str, version: int) -> str:
    """The schema as it is registered: compact JSON. Raises UnknownContract."""
    return json.dumps(json.loads(_path(contract, version).read_text()), separators=(",", ":"), ensure_ascii=False)


@cache
def schema(contract: str, version: int) -> SchemaDocument:
    """The schema: parsed by fastavro for Avro, a plain dict for JSON Schema. Not to be changed. Raises
    UnknownContract.
    """
    document: SchemaDocument = json.loads(text(contract, version))
    return parsed(document) if schema_type(contract) == "AVRO" else document


def parsed(document: SchemaDocument) -> SchemaDocument:
    """An Avro schema with its names resolved, as fastavro takes it."""
    found = fastavro.parse_schema(document)
    assert isinstance(found, dict)  # noqa: S101 - for the type: what is written as an object is parsed into one
    return found


def differences(contract: str, version: int) -> list[str]:
    """Where a version differs from the one before it, each as a path in the schema; none for the first. Raises
    UnknownContract.
    """
    if version == versions(contract)[0]:
        return []
    return sorted(_differences(json.loads(text(contract, version - 1)), json.loads(text(contract, version)), ""))


def _differences(before: object, after: object, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() | after.keys():
            yield from _differences(before.get(name), after.get(name), f"{path}/{name}")
    elif isinstance(before, list) and isinstance(after, list):
        yield from (f"{path} without {json.dumps(item)}" for item in before if item not in after)
        yield from (f"{path} with {json.dumps(item)}" for item in after if item not in before)
    elif before != after:
        yield f"{path} (from {json.dumps(before)} to {json.dumps(after)})"


def require_event_fields() -> None:
    """Raise FieldMismatch unless the newest event contracts have the fields and types of audittrail.events.event."""
    for contract, event_type in ((RAW, Event), (ENRICHED, EnrichedEvent)):
        path = _path(contract, latest(contract))
        require_same_types(json.loads(path.read_text()), f"the contract {path.name}", event_type)


require_event_fields()
