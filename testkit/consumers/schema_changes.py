"""A table of schema changes: what was there, what it becomes, and whether the new schema can read what the old one
wrote.
"""

from typing import NamedTuple


class SchemaChange(NamedTuple):
    """A change of an Avro schema; `readable`: by the new schema, of data of the old one, as Avro sees it; `stricter`:
    our own rule against it.
    """

    name: str
    old: dict
    new: dict
    readable: bool
    stricter: str | None = None


def record(*fields: dict, **more) -> dict:
    return {"type": "record", "name": "Event", "fields": list(fields)} | more


def field(name: str, type, **more) -> dict:
    return {"name": name, "type": type, **more}


def enum(*symbols: str, **more) -> dict:
    return {"type": "enum", "name": "Kind", "symbols": list(symbols)} | more


def fixed(size: int, **more) -> dict:
    return {"type": "fixed", "name": "Digest", "size": size} | more


def nested(*fields: dict, name: str = "Part") -> dict:
    return {"type": "record", "name": name, "fields": list(fields)}


def array(items) -> dict:
    return {"type": "array", "items": items}


def mapping(values) -> dict:
    return {"type": "map", "values": values}


def logical(type: str, name: str, **more) -> dict:
    return {"type": type, "logicalType": name} | more


TITLE, WORDS = field("title", "string"), field("words", "int")
ONE = record(TITLE)


def typed(name: str, old, new, readable: bool, stricter: str | None = None) -> SchemaChange:
    """A field `x` that gets another type."""
    return SchemaChange(name, record(field("x", old)), record(field("x", new)), readable, stricter)


CHANGES = [
    # Fields come and go
    SchemaChange("nothing changes", ONE, ONE, True),
    SchemaChange("add a required field", ONE, record(TITLE, WORDS), False),
    SchemaChange("add a field with a default", ONE, record(TITLE, WORDS | {"default": 0}), True),
    SchemaChange(
        "add a nullable field with default null",
        ONE,
        record(TITLE, field("words", ["null", "int"], default=None)),
        True,
    ),
    SchemaChange("add a nullable field without a default", ONE, record(TITLE, field("words", ["null", "int"])), False),
    SchemaChange("add a required record", ONE, record(TITLE, field("part", nested(WORDS))), False),
    SchemaChange(
        "add a record with a default", ONE, record(TITLE, field("part", nested(WORDS), default={"words": 0})), True
    ),
    SchemaChange("add a list with a default", ONE, record(TITLE, field("tags", array("string"), default=[])), True),
    SchemaChange("add a required list", ONE, record(TITLE, field("tags", array("string"))), False),
    SchemaChange("remove a required field", record(TITLE, WORDS), ONE, True),
    SchemaChange("remove a field with a default", record(TITLE, WORDS | {"default": 0}), ONE, True),
    SchemaChange("swap two fields", record(TITLE, WORDS), record(WORDS, TITLE), True),
    # Names
    SchemaChange("rename a field", ONE, record(field("headline", "string")), False),
    SchemaChange(
        "rename a field that has a default",
        record(TITLE | {"default": ""}),
        record(field("headline", "string", default="")),
        True,
    ),
    SchemaChange("rename a field with an alias", ONE, record(field("headline", "string", aliases=["title"])), True),
    SchemaChange("an alias of another type", ONE, record(field("headline", "int", aliases=["title"])), False),
    SchemaChange("rename the record", ONE, record(TITLE, name="Change"), False),
    SchemaChange(
        "rename the record with an alias",
        ONE,
        record(TITLE, name="Change", aliases=["Event"]),
        True,
        "full_name_changed",
    ),
    SchemaChange(
        "move the record to another namespace",
        record(TITLE, namespace="a"),
        record(TITLE, namespace="b"),
        True,
        "full_name_changed",
    ),
    typed("rename a nested record", nested(WORDS), nested(WORDS, name="Piece"), False),
    typed("rename an enum", enum("A"), enum("A", name="Sort"), False),
    typed("rename a fixed", fixed(16), fixed(16, name="Hash"), False),
    # Promotions and retypings
    typed("int to long", "int", "long", True),
    typed("int to float", "int", "float", True),
    typed("int to double", "int", "double", True),
    typed("long to float", "long", "float", True),
    typed("long to double", "long", "double", True),
    typed("float to double", "float", "double", True),
    typed("string to bytes", "string", "bytes", True),
    typed("bytes to string", "bytes", "string", True, "bytes_read_as_string"),
    typed("long to int", "long", "int", False),
    typed("double to float", "double", "float", False),
    typed("float to long", "float", "long", False),
    typed("int to string", "int", "string", False),
    typed("string to int", "string", "int", False),
    typed("boolean to int", "boolean", "int", False),
    typed("string to list of strings", "string", array("string"), False),
    typed("record to map", nested(WORDS), mapping("int"), False),
    typed("enum to string", enum("A"), "string", False),
    typed("bytes to fixed", "bytes", fixed(16), False),
    typed("fixed of another size", fixed(16), fixed(32), False),
    # Enums
    typed("add a symbol", enum("A"), enum("A", "B"), True),
    typed("remove a symbol", enum("A", "B"), enum("A"), False),
    typed("remove a symbol, with a default", enum("A", "B"), enum("A", default="A"), True),
    typed("rename a symbol", enum("A", "B"), enum("A", "C"), False),
    typed("other order of symbols", enum("A", "B"), enum("B", "A"), True),
    # Unions
    typed("make nullable", "string", ["null", "string"], True),
    typed("make not nullable", ["null", "string"], "string", False),
    typed("add a branch", ["null", "string"], ["null", "string", "long"], True),
    typed("remove a branch", ["null", "string", "long"], ["null", "string"], False),
    typed("other order of branches", ["null", "string"], ["string", "null"], True),
    typed("promote a branch", ["null", "int"], ["null", "long"], True),
    typed("narrow a branch", ["null", "long"], ["null", "int"], False),
    typed("a union of one becomes its branch", ["string"], "string", True),
    typed(
        "add a record to a union", ["null", nested(WORDS)], ["null", nested(WORDS), nested(TITLE, name="Other")], True
    ),
    typed("rename a record in a union", ["null", nested(WORDS)], ["null", nested(WORDS, name="Piece")], False),
    # Nested records, lists, maps
    typed("nested: add a required field", nested(WORDS), nested(WORDS, TITLE), False),
    typed("nested: add a field with a default", nested(WORDS), nested(WORDS, TITLE | {"default": ""}), True),
    typed("nested: remove a field", nested(WORDS, TITLE), nested(WORDS), True),
    typed("nested: retype a field", nested(WORDS), nested(field("words", "string")), False),
    typed("list: promote items", array("int"), array("long"), True),
    typed("list: retype items", array("int"), array("string"), False),
    typed("list: items become nullable", array("int"), array(["null", "int"]), True),
    typed("list: required field in items", array(nested(WORDS)), array(nested(WORDS, TITLE)), False),
    typed(
        "list: field with default in items", array(nested(WORDS)), array(nested(WORDS, TITLE | {"default": ""})), True
    ),
    typed("map: promote values", mapping("int"), mapping("double"), True),
    typed("map: retype values", mapping("int"), mapping("string"), False),
    typed("map to list", mapping("int"), array("int"), False),
    typed(
        "nullable list: required field in items",
        ["null", array(nested(WORDS))],
        ["null", array(nested(WORDS, TITLE))],
        False,
    ),
    # Defaults and documentation
    SchemaChange("give a default", record(WORDS), record(WORDS | {"default": 0}), True),
    SchemaChange("another default", record(WORDS | {"default": 0}), record(WORDS | {"default": 1}), True),
    SchemaChange("take a default away", record(WORDS | {"default": 0}), record(WORDS), True),
    SchemaChange(
        "another documentation", record(WORDS | {"doc": "Words."}), record(WORDS | {"doc": "Number of words."}), True
    ),
    # Logical types
    typed("say that a string is a UUID", "string", logical("string", "uuid"), True, "logical_type_changed"),
    typed("say no more that a string is a UUID", logical("string", "uuid"), "string", True, "logical_type_changed"),
    typed(
        "milliseconds to microseconds",
        logical("long", "timestamp-millis"),
        logical("long", "timestamp-micros"),
        True,
        "logical_type_changed",
    ),
    typed("a long becomes a time", "long", logical("long", "timestamp-micros"), True, "logical_type_changed"),
    typed("a date becomes a number", logical("int", "date"), "int", True, "logical_type_changed"),
    typed(
        "decimal of another scale",
        logical("bytes", "decimal", precision=8, scale=2),
        logical("bytes", "decimal", precision=8, scale=4),
        True,
        "logical_type_changed",
    ),
    typed(
        "list: milliseconds to microseconds",
        array(logical("long", "timestamp-millis")),
        array(logical("long", "timestamp-micros")),
        True,
        "logical_type_changed",
    ),
    typed(
        "local time to UTC",
        logical("long", "local-timestamp-micros"),
        logical("long", "timestamp-micros"),
        True,
        "logical_type_changed",
    ),
]
