"""Databases of a test's own, cloned from a migrated template, because a trail that refuses TRUNCATE cannot be flushed.

A plugin of pytest: nothing is made before the first test that needs a database.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.signals import request_started
from django.db import connections

from audittrail.capture.at_start import FIRST_REQUEST
from testkit.environment import RUN
from testkit.maintenance import drop, maintain
from testkit.paths import ROOT


def _point_at(database: str) -> None:
    os.environ["DATABASE_NAME"] = database
    for connection in connections.all(initialized_only=True):
        connection.close()
    for alias in connections:
        connections[alias].settings_dict["NAME"] = database


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker) -> Iterator[None]:
    """The migrated template that every test database is cloned from; it also serves tests that roll back."""
    template = f"{RUN}_template"
    maintain(f'CREATE DATABASE "{template}"')
    environment = {**os.environ, "DATABASE_NAME": template}
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True
        )
        maintain(f'CREATE DATABASE "{RUN}_shared" TEMPLATE "{template}"')
        with django_db_blocker.unblock():
            _point_at(f"{RUN}_shared")
            yield
            _point_at(f"{RUN}_none")
    finally:
        drop(f"{RUN}_shared", template)


@pytest.fixture(scope="session", autouse=True)
def _no_check_at_the_first_request() -> None:
    """A test's first request asks nothing of a database in a thread that outlives it."""
    request_started.disconnect(dispatch_uid=FIRST_REQUEST)


@contextmanager
def cloned_database(label: str, template: str = f"{RUN}_template") -> Iterator[str]:
    """A database of this run, cloned from a template, the migrated one by default, and dropped at the end; its name."""
    name = f"{RUN}_{label}"
    maintain(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield name
    finally:
        drop(name)


@contextmanager
def pointed_at(database: str) -> Iterator[None]:
    """All three aliases, and processes started meanwhile, use this database."""
    _point_at(database)
    try:
        yield
    finally:
        _point_at(f"{RUN}_shared")


@contextmanager
def _own_database() -> Iterator[str]:
    with cloned_database(uuid.uuid4().hex[:8]) as name, pointed_at(name):
        yield name


@pytest.fixture
def fresh_database(django_db_setup, django_db_blocker) -> Iterator[str]:
    """An empty, migrated database for one test, with real commits. Its name; subprocesses find it in DATABASE_NAME."""
    with django_db_blocker.unblock(), _own_database() as name:
        yield name


@pytest.fixture(scope="module")
def module_database(django_db_setup, django_db_blocker) -> Iterator[str]:
    """As fresh_database, for all tests of a module."""
    with django_db_blocker.unblock(), _own_database() as name:
        yield name
