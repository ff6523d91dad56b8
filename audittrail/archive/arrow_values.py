"""Values of Arrow columns as the codec gives them, column by column.

Array.to_pylist makes an Arrow object of each value on its way, and is several times slower.
"""

# Arrow's arrays are generic for type checkers only.
from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa

from audittrail.events.times import EPOCH

# What the values are, the type of the column decides: Any throughout.
Values = list[Any]


def python_values(array: pa.Array[Any]) -> Values:
    """Identities as UUID, times as datetime in UTC, structs and maps as dict, lists as list; null as None.

    Raises pyarrow.ArrowInvalid for a map with a key twice.
    """
    if isinstance(array, pa.ExtensionArray):
        return [None if value is None else uuid.UUID(bytes=value) for value in array.storage.to_pylist()]
    if pa.types.is_timestamp(array.type):
        return [
            None if value is None else EPOCH + timedelta(microseconds=value)
            for value in array.cast(pa.int64()).to_pylist()
        ]
    if isinstance(array, pa.StructArray):
        names = [field.name for field in array.type]
        rows = zip(*map(python_values, array.flatten()), strict=True)
        return _with_nulls(array, [dict(zip(names, row, strict=True)) for row in rows])
    if isinstance(array, pa.MapArray):
        pairs = list(zip(python_values(array.keys), python_values(array.items), strict=True))
        return _with_nulls(array, _parts(array, pairs, _mapping))
    if isinstance(array, pa.ListArray):
        return _with_nulls(array, _parts(array, python_values(array.values), list))
    return array.to_pylist()


def _parts(array: pa.ListArray[Any], values: Values, make: Callable[[Values], object]) -> Values:
    return [make(values[start:end]) for start, end in pairwise(array.offsets.to_pylist())]


def _mapping(pairs: Values) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise pa.ArrowInvalid(f"a map has a key twice: {sorted(key for key, _ in pairs)}")
    return mapping


def _with_nulls(array: pa.Array[Any], values: Values) -> Values:
    if not array.null_count:
        return values
    return [value if valid else None for value, valid in zip(values, array.is_valid().to_pylist(), strict=True)]
