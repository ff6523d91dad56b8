"""What somebody does who has the site's database role and no Django."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connections

from newsroom.models import Article

Session = psycopg.Connection[tuple[object, ...]]


@contextmanager
def session_as_site(database: str) -> Iterator[Session]:
    """A session of the site's role on this database, each statement in a transaction of its own unless told."""
    default = connections["default"].settings_dict
    with psycopg.connect(
        host=default["HOST"],
        port=default["PORT"],
        user=default["USER"],
        password=default["PASSWORD"],
        dbname=database,
        autocommit=True,
    ) as session:
        yield session


def article() -> int:
    """The key of a new article."""
    return Article.objects.create(headline="Bridge", body="Inspectors.", slug=uuid.uuid4().hex).pk
