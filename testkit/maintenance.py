"""Makes and drops databases of the stack, as their owner."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connections

_ATTEMPTS = 30


def maintain(*statements: str) -> None:
    """As the owner, in a session of its own: PostgreSQL may be killed meanwhile."""
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


def drop(*names: str) -> None:
    """Again while PostgreSQL's own worker, which no owner may end, is cleaning up in there."""
    for attempt in range(_ATTEMPTS):
        try:
            maintain(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))
            return
        except psycopg.errors.InsufficientPrivilege:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.3)


@contextmanager
def new_database(name: str) -> Iterator[None]:
    """An empty database, in place of what an earlier run has left of it; dropped at the end."""
    drop(name)
    maintain(f'CREATE DATABASE "{name}"')
    try:
        yield
    finally:
        connections.close_all()
        drop(name)
