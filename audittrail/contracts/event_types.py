"""The event contracts against the types in audittrail.events.event: the same fields, of the same types, all the way in.

Both are flattened into path → type, for example `changes[].edits` → `list or None`; [] stands for an item of a list, {}
for a value of a map.
"""

import types
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

from audittrail.events.field_check import FieldMismatch, require_same_fields

RECORD = "record"

_PRIMITIVES = {
    "string": "str",
    "bytes": "bytes",
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "boolean": "bool",
}
_LOGICAL = {"uuid": UUID.__name__, "timestamp-micros": datetime.__name__}
_CONTAINERS = {"array": ("list", "[]", "items"), "map": ("dict", "{}", "values")}


def require_same_types(schema: dict[str, Any], place: str, event_type: type) -> None:
    """Raise FieldMismatch unless an Avro record (as JSON) has the fields and types of a TypedDict.

    Raises KeyError for an Avro type, TypeError for a Python type, that events are not made of.
    """
    described, typed = dict(_avro_fields(schema, "", {})), dict(_typed_fields(event_type, ""))
    definition = f"{event_type.__module__}.{event_type.__qualname__}"
    remedy = "an event is defined once, so change both"
    require_same_fields(described, place, typed, definition, remedy=remedy)
    for path, written in described.items():
        if written != typed[path]:
            raise FieldMismatch(f"field {path!r} is {written} in {place}, but {typed[path]} in {definition}: {remedy}")


def _avro_fields(record: dict[str, Any], path: str, named: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """`named`: records met before, as Avro writes them out once and then by name."""
    named[record["name"]] = record
    for field in record["fields"]:
        yield from _avro_type(field["type"], f"{path}.{field['name']}" if path else field["name"], named)


def _avro_type(
    avro: str | list[Any] | dict[str, Any], path: str, named: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    suffix = ""
    if isinstance(avro, list):
        suffix = " or None" if "null" in avro else ""
        (avro,) = [branch for branch in avro if branch != "null"]
    part = avro if isinstance(avro, dict) else named.get(str(avro).rpartition(".")[2]) or {"type": avro}
    if "logicalType" in part:
        yield path, _LOGICAL[part["logicalType"]] + suffix
    elif part["type"] == "record":
        yield path, RECORD + suffix
        yield from _avro_fields(part, path, named)
    elif part["type"] in _CONTAINERS:
        name, mark, member = _CONTAINERS[part["type"]]
        yield path, name + suffix
        yield from _avro_type(part[member], path + mark, named)
    else:
        yield path, _PRIMITIVES[part["type"]] + suffix


def _typed_fields(event_type: type, path: str) -> Iterator[tuple[str, str]]:
    for name, hint in get_type_hints(event_type).items():
        yield from _python_type(hint, f"{path}.{name}" if path else name)


def _python_type(hint: Any, path: str) -> Iterator[tuple[str, str]]:
    suffix = ""
    if get_origin(hint) in (Union, types.UnionType):
        suffix = " or None" if type(None) in get_args(hint) else ""
        (hint,) = [part for part in get_args(hint) if part is not type(None)]
    container = get_origin(hint)
    if container is Literal:
        yield path, type(get_args(hint)[0]).__name__ + suffix
    elif is_typeddict(hint):
        yield path, RECORD + suffix
        yield from _typed_fields(hint, path)
    elif container is list or container is dict:
        yield path, container.__name__ + suffix
        yield from _python_type(get_args(hint)[-1], path + ("[]" if container is list else "{}"))
    elif isinstance(hint, type):
        yield path, hint.__name__ + suffix
    else:
        raise TypeError(f"{path}: {hint!r} is no type of an event's field")
