"""What every test stands on: real services, and databases of its own.

A run has its own prefix for topics, groups, index and bucket, so that runs can share one stack.  Databases are cloned
from a migrated template, because a trail that refuses TRUNCATE cannot be flushed.
"""

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from testkit.sharing import pytest_collection_modifyitems, pytest_runtest_protocol, pytest_terminal_summary  # noqa: F401 - hooks

RUN = f"t{uuid.uuid4().hex[:8]}"
os.environ["AUDIT_PREFIX"] = f"{RUN}-"
os.environ["DATABASE_NAME"] = f"{RUN}_none"
# No test waits for more events, which will not come, before it looks into the archive.
os.environ.setdefault("AUDIT_ARCHIVE_IDLE_SECONDS", "0.2")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
# Playwright keeps an event loop in the main thread; the ORM is used from it in tests only.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT.parent / "shared" / "data"


def _maintain(*statements: str) -> None:
    """As the owner, in a session of its own: PostgreSQL may be killed while a test is running."""
    from django.conf import settings

    owner = settings.DATABASES["owner"]
    with psycopg.connect(
        host=owner["HOST"],
        port=owner["PORT"],
        user=owner["USER"],
        password=owner["PASSWORD"],
        dbname="audit",
        autocommit=True,
    ) as session:
        for statement in statements:
            session.execute(statement)


def _point_at(database: str) -> None:
    from django.db import connections

    os.environ["DATABASE_NAME"] = database
    for connection in connections.all(initialized_only=True):
        connection.close()
    for alias in connections:
        connections[alias].settings_dict["NAME"] = database


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords():
    """Logins are made by the dozen: a hash that takes a tenth of a second proves nothing here."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """The migrated template that every test database is cloned from; it also serves tests that roll back."""
    template = f"{RUN}_template"
    _maintain(f'CREATE DATABASE "{template}"')
    environment = {**os.environ, "DATABASE_NAME": template}
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True
        )
        _maintain(f'CREATE DATABASE "{RUN}_shared" TEMPLATE "{template}"')
        with django_db_blocker.unblock():
            _point_at(f"{RUN}_shared")
            yield
            _point_at(f"{RUN}_none")
    finally:
        _maintain(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in (f"{RUN}_shared", template)))


@contextmanager
def cloned_database(label: str):
    """A database of this run, cloned from the migrated template and dropped at the end; its name."""
    name = f"{RUN}_{label}"
    _maintain(f'CREATE DATABASE "{name}" TEMPLATE "{RUN}_template"')
    yield name
    _maintain(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def pointed_at(database: str):
    """All three aliases, and processes started meanwhile, use this database."""
    _point_at(database)
    try:
        yield
    finally:
        _point_at(f"{RUN}_shared")


@contextmanager
def _own_database():
    with cloned_database(uuid.uuid4().hex[:8]) as name, pointed_at(name):
        yield name


@pytest.fixture
def fresh_database(django_db_setup, django_db_blocker):
    """An empty, migrated database for one test, with real commits.  Its name; subprocesses find it in DATABASE_NAME."""
    with django_db_blocker.unblock(), _own_database() as name:
        yield name


@pytest.fixture(scope="module")
def module_database(django_db_setup, django_db_blocker):
    """As fresh_database, for all tests of a module."""
    with django_db_blocker.unblock(), _own_database() as name:
        yield name
