"""The documents name only code that exists: `path` alone, or `path` followed by the names of what is in it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from testkit.paths import ROOT

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
THOROUGH = [ROOT / "docs" / name for name in ("architecture.md", "glossary.md")]
"""Documents in which every word of the code must have its place."""

RIGHT_OF_ROOMS = 300
"""What is drawn further right is no room."""

PLACE = re.compile(r"`((?:[\w-]+/)+[\w-]+\.(?:py|sql))`((?:,? `[A-Za-z_][\w.]*`)*)")
DOTTED = re.compile(r"`((?:audittrail|consumers|newsroom|stack)(?:\.\w+)+)(?:\(\))?`")
FOLDER = re.compile(r"`((?:[\w-]+/)+)`")
NAME = re.compile(r"`([\w.]+)`")
DEFINED_IN_SQL = re.compile(r"\b(?:FUNCTION|TRIGGER|TABLE(?: IF NOT EXISTS)?) (\w+)")


@cache
def defined(path: Path) -> frozenset[str]:
    """Names that a module or SQL file defines: `function`, `CONSTANT`, `Class`, `Class.member`."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sql":
        return frozenset(DEFINED_IN_SQL.findall(text))
    return frozenset(_defined(ast.parse(text).body))


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
                yield from (f"{name}.{member}" for member in _defined(statement.body))
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def places(document: Path) -> list[tuple[str, list[str]]]:
    """Each path that a document names, with the names that follow it."""
    text = document.read_text(encoding="utf-8")
    return [(path, NAME.findall(names)) for path, names in PLACE.findall(text)]


def missing(document: Path) -> list[str]:
    """What a document names and the code does not have."""
    found = [path for path, _ in places(document) if not (ROOT / path).is_file()]
    for path, names in places(document):
        if (ROOT / path).is_file():
            found += [f"{path} {name}" for name in names if name not in defined(ROOT / path)]
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_of_the_code_exists(document):
    assert missing(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_with_dots_exists(document):
    dotted = {name for name in DOTTED.findall(document.read_text(encoding="utf-8")) if _is_in_a_room(name)}
    assert [name for name in sorted(dotted) if not _exists(name)] == []


def _is_in_a_room(dotted: str) -> bool:
    """Whether it names code; permissions, kinds of articles and types of events have dots as well."""
    package, room, *rest = dotted.split(".")
    return bool(rest) and (ROOT / package / room).exists()


def _exists(dotted: str) -> bool:
    path, _, name = dotted.replace(".", "/").rpartition("/")
    return (ROOT / f"{path}/{name}.py").is_file() or name in defined(ROOT / f"{path}.py")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_folders_exist(document):
    named = set(FOLDER.findall(document.read_text(encoding="utf-8")))
    top = {path.name for path in ROOT.iterdir()}
    ours = {folder for folder in named if folder.split("/")[0] in top}
    assert [folder for folder in sorted(ours) if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize("document", THOROUGH, ids=lambda path: path.name)
def test_many_places_are_found(document):
    """The form of the documents and the pattern above fit each other."""
    assert len(places(document)) > 40


@pytest.mark.parametrize("package", ["audittrail", "consumers"])
def test_the_rooms_are_those_of_the_import_contract(package):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition(f"| `{package}/` | highest first |\n|---|---|\n")[2].partition("\n\n")[0]
    rooms = [set(NAME.findall(line.split("|")[1])) for line in table.splitlines()]
    assert rooms == layers(package)


@pytest.mark.parametrize("package", ["audittrail", "consumers"])
def test_the_picture_has_no_room_below_one_that_it_may_import(package):
    heights = heights_in_picture(package)
    drawn = [[heights[room] for room in layer] for layer in layers(package)]
    assert [max(layer) <= min(next_layer) for layer, next_layer in pairwise(drawn)] == [True] * (len(drawn) - 1)


def layers(package: str) -> list[set[str]]:
    """The rooms of a package by the contract of imports, highest first; those of one layer do not import each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if each.get("containers") == [package])
    return [set(layer.split(" : ")) for layer in contract["layers"]]


def heights_in_picture(package: str) -> dict[str, int]:
    """Room → its distance from the upper edge of the picture, in the frame of its package."""
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    frame = re.split(r'<text class="name" x="50"', picture.partition(f">{package}</text>")[2])[0]
    texts = re.findall(r'<text(?: class="(?:small|name)")? x="(\d+)" y="(\d+)"[^>]*>([^<]*)<', frame)
    return {room: int(y) for x, y, rooms in texts if int(x) < RIGHT_OF_ROOMS for room in rooms.split(", ")}


def test_a_renamed_function_is_found(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("`consumers/records.py` `Record`, `Recrod` and `consumers/recrods.py`", encoding="utf-8")
    assert missing(document) == ["consumers/recrods.py", "consumers/records.py Recrod"]


def test_members_and_functions_of_the_database_are_known():
    assert "Record.source" in defined(ROOT / "consumers" / "records.py")
    assert "audit_touch" in defined(ROOT / "audittrail" / "capture" / "sql" / "touch.sql")
