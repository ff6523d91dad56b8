"""The stranger's site: roles and a database of its own names, a pool of connections before it, and sessions of it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from psycopg.rows import dict_row

from audittrail.capture.outbox_rows import event_of, read
from audittrail.events.event import Event
from testkit import waiting
from testkit.environment import RUN
from testkit.paths import ROOT

POOL = """
[databases]
{database} = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {pool_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
"""

NAMES = """
import datetime
import decimal
import uuid
from contextlib import ExitStack
from audittrail import Actor, article_id, context
from django.db import connection, transaction
from tests.stranger.site.press.models import *
"""
"""What every session has at hand."""


class Failed(Exception):
    """A statement failed in the site; its traceback."""


class Session:
    """A process of the site that keeps its variables and transactions from one statement to the next."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def run(self, statements: str) -> Any:
        """What the statements assign to `answer`. Raises Failed."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps(statements), file=self._process.stdin, flush=True)
        reply = json.loads(self._process.stdout.readline())
        if reply["failure"]:
            raise Failed(reply["failure"])
        return reply["answer"]


@dataclass(frozen=True)
class Site:
    """Where the site's database is, and the roles that use it, whose passwords are their names."""

    host: str
    port: int
    pool_port: int
    database: str
    owner: str
    application: str
    pipeline: str

    @property
    def roles(self) -> tuple[str, str, str]:
        return self.owner, self.application, self.pipeline

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`manage.py` of the site, with all that it prints."""
        return subprocess.run(
            [*MANAGE, *arguments], env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        command = [*MANAGE, "obey"]
        with subprocess.Popen(
            command, env=self._environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            session = Session(process)
            session.run(NAMES)
            yield session

    def query(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows, read as the owner and past the pool."""
        with psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.owner,
            password=self.owner,
            row_factory=dict_row,
        ) as session:
            return session.execute(statement, parameters).fetchall()

    def events(self, article: str) -> list[dict[str, Any]]:
        """The captured events of an article, by sequence."""
        return self.query("SELECT * FROM audittrail_outboxevent WHERE article_id = %s ORDER BY sequence", article)

    def drift(self, article: str) -> list[dict[str, Any]]:
        """In what the live article differs from what was captured of it."""
        kind, _, key = article.partition(":")
        return self.query("SELECT * FROM audit_drift(%s, %s)", kind, [key])

    def decoded_events(self, article: str) -> list[Event]:
        """The same as the events that the relay publishes."""
        ids = [row["id"] for row in self.events(article)]
        with psycopg.connect(
            host=self.host, port=self.port, dbname=self.database, user=self.owner, password=self.owner
        ) as session:
            return [event_of(row) for row in read(session.cursor(), ids)]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_APPLICATION_ROLE": self.application,
            "DATABASE_PIPELINE_ROLE": self.pipeline,
            "PRESS_OWNER": self.owner,
            "PRESS_DATABASE": self.database,
            "PRESS_HOST": self.host,
            "PRESS_PORT": str(self.port),
            "PRESS_POOL_PORT": str(self.pool_port),
        }


MANAGE = (sys.executable, str(ROOT / "tests" / "stranger" / "site" / "manage.py"))


@pytest.fixture(scope="package")
def unmigrated_site() -> Iterator[Site]:
    """Roles, an empty database and the pool, which are gone afterwards."""
    server = settings.DATABASES["owner"]
    names = [f"{RUN}_{name}" for name in ("press", "chief", "desk", "wire")]
    site = Site(server["HOST"], int(server["PORT"]), _free_port(), *names)
    with ExitStack() as stack:
        administrator = stack.enter_context(
            psycopg.connect(
                host=site.host,
                port=site.port,
                user="postgres",
                password="postgres",
                dbname="postgres",
                autocommit=True,
            )
        )
        for role in site.roles:
            administrator.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
            stack.callback(administrator.execute, f"DROP ROLE {role}")
        administrator.execute(f"ALTER ROLE {site.owner} CREATEDB")
        administrator.execute(f"CREATE DATABASE {site.database} OWNER {site.owner}")
        for database in (site.database, f"test_{site.database}"):
            stack.callback(administrator.execute, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        stack.enter_context(_pool(site))
        yield site


@pytest.fixture(scope="package")
def site(unmigrated_site) -> Site:
    """The site after its first `migrate`."""
    migrated = unmigrated_site.manage("migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stdout
    return unmigrated_site


@pytest.fixture(scope="package")
def newsroom(site) -> Iterator[Session]:
    """A session of the site."""
    with site.session() as session:
        yield session


@contextmanager
def _pool(site: Site) -> Iterator[None]:
    """pgbouncer before the database, which root starts and somebody else runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(POOL.format(folder=folder, **vars(site)))
        (folder / "users").write_text("".join(f'"{role}" "{role}"\n' for role in site.roles))
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(["/usr/sbin/pgbouncer", *user, str(configuration)], stdout=log, stderr=log)
        try:
            waiting.until(lambda: process.poll() is not None or _answers(site.pool_port), 20, "pgbouncer")
            assert process.poll() is None, (folder / "log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
