"""Which tests need services: `make unit` runs the others, and one of them that touches a service fails by name.

A plugin of pytest. A test is marked `service` if it uses the database or another fixture of NEEDS_SERVICES; where no
fixture tells, a module or a test is marked by hand.
"""

from collections.abc import Callable
from typing import NoReturn

import psycopg
import pytest

from audittrail import env

NEEDS_SERVICES = frozenset(
    {"django_db_setup", "db", "transactional_db", "own_bucket", "own_index", "own_names", "own_subjects"}
)
"""Fixtures on which those of all services stand."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest selects tests by their marks."""
    for item in items:
        if _needs_services(item):
            item.add_marker(pytest.mark.service)
        elif item.get_closest_marker("enable_socket") is None:
            # Of pytest-socket: who opens a socket fails.
            item.add_marker(pytest.mark.disable_socket)


def _needs_services(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("service") or item.get_closest_marker("django_db")
    return marked is not None or not NEEDS_SERVICES.isdisjoint(getattr(item, "fixturenames", ()))


class ServiceTouched(Exception):
    """A test without the mark `service` asked for one."""


@pytest.fixture(autouse=True)
def _no_services(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients of Kafka and PostgreSQL open their sockets in C, where pytest-socket does not see them."""
    if request.node.get_closest_marker("service") is None:
        monkeypatch.setattr(env, "read", _without_kafka(env.read))
        monkeypatch.setattr(psycopg, "connect", _refuse)
        monkeypatch.setattr(psycopg.Connection, "connect", _refuse)
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", _refuse)


def _without_kafka(read: Callable[..., object]) -> Callable[..., object]:
    """Who asks where Kafka is, is about to make a client of it."""
    return lambda name, *rest: _refuse() if name == "KAFKA_BOOTSTRAP_SERVERS" else read(name, *rest)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ServiceTouched("a unit test touches Kafka or PostgreSQL: give it what it needs, or mark it `service`")
