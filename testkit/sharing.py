"""Several tests run at once on the same services: those of a file one after the other, and alone those that break the
services.

pytest-xdist deals groups of tests out to its workers. Without it everything runs in one process, in the same order.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testkit.paths import ROOT

TOGETHER = {"pipeline": "tests/pipeline/", "faults": "tests/faults/"}
"""Folders whose tests share a fixture that is dear, or must not meet each other."""
BREAKS_SERVICES = "trail"
"""The fixture of tests that kill services."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    # Last, when nearly all others are done: while they run nothing else can.
    items.sort(key=_breaks_services)


def _breaks_services(item: pytest.Item) -> bool:
    return BREAKS_SERVICES in getattr(item, "fixturenames", ())


def _group(item: pytest.Item) -> str:
    path = item.nodeid.partition("::")[0]
    return next((name for name, folder in TOGETHER.items() if path.startswith(folder)), path)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Before the test's time limit begins."""
    with _services(fcntl.LOCK_EX if _breaks_services(item) else fcntl.LOCK_SH):
        return (yield)


@contextmanager
def _services(lock: int) -> Iterator[None]:
    with (ROOT / "manage.py").open() as file:
        fcntl.flock(file, lock)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests report: record_property("report", …)."""
    for result in terminalreporter.stats.get("passed", []):
        for name, text in result.user_properties:
            if name == "report":
                terminalreporter.section(result.nodeid.partition("@")[0])
                terminalreporter.write_line(text)
