"""The contracts as pages for people, made from the contract files and the examples in their folder."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from audittrail import contracts
from audittrail.contracts import SchemaDocument

_EXAMPLES = Path(__file__).parent / "examples"
_COLUMNS = "| field | type | default | meaning | example |\n|---|---|---|---|---|"
_LONGEST_EXAMPLE = 60

Example = dict[str, Any]
"""An event or a dead letter as JSON, as the files in examples/ have them."""


class Field(NamedTuple):
    """A field of a contract: its dotted path ([] an item of a list, {} a value of a map), type in words, default as
    JSON ("" for none).
    """

    path: str
    type: str
    default: str
    meaning: str


def page(contract: str) -> str:
    """A contract's latest version in Markdown: every field with meaning and example, then whole examples. Raises
    UnknownContract.
    """
    version = contracts.latest(contract)
    schema = json.loads(contracts.text(contract, version))
    rows = "\n".join(_row(field, examples(contract)) for field in fields(contract))
    shown = "\n\n".join(
        f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```" for example in examples(contract)
    )
    kept = ", ".join(map(str, contracts.versions(contract)))
    return (
        f"# {contract}, version {version}\n\n"
        "<!-- Made by manage.py document_contracts from audittrail/contracts: change those files, then run it. -->\n\n"
        f"{schema.get('doc') or schema['description']}\n\n"
        f"{_FORMATS[contracts.schema_type(contract)]} Versions kept: {kept}.\n\n"
        f"## Fields\n\n{_COLUMNS}\n{rows}\n\n## Examples\n\n{shown}\n"
    )


_FORMATS = {
    "AVRO": (
        "Avro, in Confluent's wire format: a zero byte, the schema's id in the registry (4 bytes, big-endian), "
        "the record. In the examples bytes are hexadecimal and times ISO 8601."
    ),
    "JSON": (
        "JSON Schema (draft-07), in Confluent's wire format: a zero byte, the schema's id in the registry (4 bytes, "
        "big-endian), the JSON."
    ),
}


def fields(contract: str) -> list[Field]:
    """All fields of a contract's latest version, each before those within it. Raises UnknownContract."""
    schema = json.loads(contracts.text(contract, contracts.latest(contract)))
    if contracts.schema_type(contract) == "AVRO":
        return list(_avro_fields(schema, ""))
    return list(_json_fields(schema, ""))


@cache
def examples(contract: str) -> list[Example]:
    """Whole examples, as JSON. Those of raw events are those of enriched ones without the enrichment. Raises
    UnknownContract.
    """
    kept: list[Example] = json.loads(
        (_EXAMPLES / f"{contracts.ENRICHED if contract == contracts.RAW else contract}.json").read_text()
    )
    if contract != contracts.RAW:
        return kept
    known = [field["name"] for field in contracts.schema(contract, contracts.latest(contract))["fields"]]
    return [{name: example[name] for name in known if name in example} for example in kept]


def _row(field: Field, shown: list[Example]) -> str:
    example = next(
        (
            json.dumps(value, ensure_ascii=False)
            for event in shown
            for value in _values(event, field.path)
            if value not in (None, [], {})
        ),
        "",
    )
    shown_example = "see below" if len(example) > _LONGEST_EXAMPLE else _code(example)
    return f"| `{field.path}` | {field.type} | {_code(field.default)} | {field.meaning} | {shown_example} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _values(value: Any, path: str) -> Iterator[object]:
    """What is at a path of an example, in every item of lists and every value of maps on the way."""
    if not path:
        yield value
    elif path.startswith(("[]", "{}")):
        inner = value if isinstance(value, list) else (value or {}).values()
        for item in inner or ():
            yield from _values(item, path[2:].lstrip("."))
    elif value is not None:
        cut = min((place for mark in (".", "[]", "{}") if (place := path.find(mark)) >= 0), default=len(path))
        yield from _values(value.get(path[:cut]), path[cut:].lstrip("."))


def _avro_fields(record: SchemaDocument, path: str) -> Iterator[Field]:
    for field in record["fields"]:
        name = f"{path}.{field['name']}" if path else field["name"]
        default = json.dumps(field["default"]) if "default" in field else ""
        yield Field(name, _avro_type(field["type"]), default, field["doc"])
        yield from _avro_within(field["type"], name)


def _avro_within(avro: str | list[Any] | SchemaDocument, path: str) -> Iterator[Field]:
    if isinstance(avro, list):
        for branch in avro:
            yield from _avro_within(branch, path)
    elif isinstance(avro, dict) and avro["type"] == "record":
        yield from _avro_fields(avro, path)
    elif isinstance(avro, dict) and avro["type"] in ("array", "map"):
        mark, inner = ("[]", avro["items"]) if avro["type"] == "array" else ("{}", avro["values"])
        yield from _avro_within(inner, f"{path}{mark}")


def _avro_type(avro: str | list[Any] | SchemaDocument) -> str:
    if isinstance(avro, list):
        return " or ".join(_avro_type(branch) for branch in avro)
    if isinstance(avro, str):
        return avro.rpartition(".")[2]
    if avro["type"] == "array":
        return f"list of {_avro_type(avro['items'])}"
    if avro["type"] == "map":
        return f"map to {_avro_type(avro['values'])}"
    return f"{avro['type']} ({avro['logicalType']})" if "logicalType" in avro else str(avro.get("name", avro["type"]))


def _json_fields(schema: SchemaDocument, path: str) -> Iterator[Field]:
    for name, part in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        types = part["type"] if isinstance(part["type"], list) else [part["type"]]
        missing = "" if name in schema.get("required", ()) else "may be left out"
        default = json.dumps(part["default"]) if "default" in part else missing
        yield Field(where, " or ".join(types), default, part["description"])
        yield from _json_fields(part, where)
