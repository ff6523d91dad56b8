"""The documents name every setting with its default, and only files and commands that exist."""

import inspect
import re
import runpy

import pytest
from django.core.management import get_commands

import auditsite.conf
import audittrail.conf
import consumers.conf
import stack
from audittrail import env
from testkit.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LOCAL = stack.addresses()
ADDRESSES = (
    LOCAL.kafka_bootstrap,
    LOCAL.elasticsearch_url,
    LOCAL.registry_url,
    LOCAL.s3_url,
    LOCAL.redis_url,
    *LOCAL.postgres,
)

ROW = re.compile(r"^\| (`[A-Z].*?) \| (.*?) \|", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(
    r"\b(?:auditsite|audittrail|benchmarks|consumers|examples|newsroom|scripts|stack|testkit|tests)/[\w/-]+\.\w+"
)
BENCHMARK = re.compile(r"\bbench_\w+")
COMMAND = re.compile(r"manage\.py ([a-z]\w+)")
OF_STACK_AND_MAKE = {
    "STACK", "STACK_PORT_BASE", "XDG_CACHE_HOME", "XDG_STATE_HOME", "JAVA_HOME",
    "PORT", "PYTHON3", "ARGS", "MINUTES", "SEED", "BENCH",
}  # fmt: skip


def in_the_document() -> dict[str, str]:
    """Name → the cell of its default."""
    rows = ROW.findall((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))
    return {name: default for names, default in rows for name in re.findall(r"`([A-Z0-9_]+)`", names)}


@pytest.fixture
def defaults(monkeypatch) -> dict[str, object]:
    """Name → default, of every setting, as the code asks for it."""
    found = {}

    def read(name, default, parse, expected):
        found[name] = default
        return default

    monkeypatch.setattr(env, "read", read)
    for module in (audittrail.conf, consumers.conf, auditsite.conf):
        for _, accessor in inspect.getmembers(module, inspect.isfunction):
            if accessor.__module__ == module.__name__ and not inspect.signature(accessor).parameters:
                accessor()
    runpy.run_path(str(ROOT / "auditsite" / "settings.py"))
    return found


def as_described(default) -> str:
    """A default as the document writes it."""
    if default in ADDRESSES:
        return "local stack"
    written = ",".join(default) if isinstance(default, tuple) else str(default)
    return f"`{written}`" if written else "empty"


def test_every_setting_is_described_and_nothing_else_is(defaults):
    assert set(in_the_document()) - OF_STACK_AND_MAKE == set(defaults)


def test_every_default_is_that_of_the_code(defaults):
    described = in_the_document()
    expected = {name: as_described(default) for name, default in defaults.items()}
    assert {name: described[name] for name in expected} == expected


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document):
    targets = LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8")))
    local = [target.partition("#")[0] for target in targets if not re.match(r"https?://|mailto:|#", target)]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document):
    named = set(COMMAND.findall(document.read_text(encoding="utf-8")))
    assert named - set(get_commands()) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_benchmarks_exist(document):
    text = document.read_text(encoding="utf-8")
    named = {*PATH.findall(text), *(f"benchmarks/{name}.py" for name in BENCHMARK.findall(text))}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_command_of_this_project_is_in_the_readme():
    apps = {"audittrail", "consumers", "newsroom"}
    ours = {name for name, app in get_commands().items() if app in apps} - {"migrate"}
    assert ours - set(COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8"))) == set()
