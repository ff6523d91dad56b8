"""The measures of the code that CONTRIBUTING.md names: length of functions, parameters, modules at a package's root."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from testkit.paths import ROOT

LONGEST_FUNCTION = 40
MOST_PARAMETERS = 6
MOST_MODULES = 10
PACKAGES = ("audittrail", "consumers")
EVENT_PARAMETERS = {"event", "events", "row", "rows", "change", "changes", "keyframe", "letter"}
"""Names under which functions take what has a type of its own."""
SITES = (ROOT / "tests" / "stranger" / "site",)
"""Django projects that tests run."""


class Function(NamedTuple):
    place: str
    lines: int
    definition: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def positional(self) -> int:
        arguments = self.definition.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        return len(names) - (names[:1] in (["self"], ["cls"]))

    @property
    def bare_dicts(self) -> list[str]:
        """Parameters that take an event, or a part of it, as a dict of anything."""
        arguments = self.definition.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        return [each.arg for each in every if each.arg in EVENT_PARAMETERS and _is_bare_dict(each.annotation)]


def _is_bare_dict(annotation: ast.expr | None) -> bool:
    written = "" if annotation is None else ast.unparse(annotation)
    return any(part in written for part in ("dict[str, Any]", "dict[str, object]")) or written == "dict"


def functions(package: str) -> Iterator[Function]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Function(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines, node)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_longer_than_a_screen(package):
    assert [each.place for each in functions(package) if each.lines > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_takes_more_by_position_than_a_caller_can_order(package):
    assert [each.place for each in functions(package) if each.positional > MOST_PARAMETERS] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_takes_an_event_as_a_dict_of_anything(package):
    assert [(each.place, each.bare_dicts) for each in functions(package) if each.bare_dicts] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_root_of_a_package_keeps_what_all_of_it_needs(package):
    modules = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES, modules


def test_no_helper_lies_between_the_tests():
    others = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith("test_") and path.name not in ("conftest.py", "__init__.py")
        if not any(path.is_relative_to(site) for site in SITES)
    ]
    assert others == []


def test_tests_lie_in_the_rooms_of_the_code():
    rooms = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    of_packages = [room for room in rooms if room.parts[0] in PACKAGES]
    assert [str(room) for room in of_packages if not (ROOT / room).is_dir()] == []
