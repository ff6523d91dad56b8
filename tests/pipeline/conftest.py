"""One whole pipeline for all tests of this folder: topics, contracts, and the supervisor with every stage, as
processes.
"""

import os
import subprocess
import sys
from contextlib import contextmanager

import psycopg
import pytest

from testkit.databases import cloned_database, pointed_at
from testkit.paths import ROOT

SECONDS = 60


@contextmanager
def supervisor(**environment: str):
    """`run_consumers` as a process; ended in order at the end."""
    child = subprocess.Popen(
        [sys.executable, "manage.py", "run_consumers"], cwd=ROOT, env={**os.environ, **environment}
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(SECONDS)
        finally:
            child.kill()


@pytest.fixture(scope="package")
def pipeline_database(django_db_setup, django_db_blocker):
    """A database with every stage running on it, for all tests of this folder; its name."""
    from django.core.management import call_command

    with django_db_blocker.unblock(), cloned_database("pipeline") as name:
        with pointed_at(name):
            call_command("create_topics")
            call_command("register_schemas")
            process = supervisor()
            process.__enter__()
        yield name
        process.__exit__(None, None, None)


@pytest.fixture
def pipeline(pipeline_database, django_db_blocker):
    """The test writes to the newsroom of the running pipeline.  Call it to wait until everything has arrived."""
    from django.core.management import call_command

    def arrived() -> None:
        call_command("wait_until_caught_up", timeout=SECONDS)

    with django_db_blocker.unblock(), pointed_at(pipeline_database):
        yield arrived


@pytest.fixture
def superuser(pipeline_database):
    """Somebody who may do anything to the database of the pipeline, and leaves it as it was."""
    from django.conf import settings

    owner = settings.DATABASES["owner"]
    connection = psycopg.connect(
        host=owner["HOST"],
        port=owner["PORT"],
        user="postgres",
        password="postgres",
        dbname=pipeline_database,
        autocommit=True,
    )
    tables = ("audittrail_auditevent", "audittrail_head", "audittrail_verifiedhead", "newsroom_article")
    with connection:
        for table in tables:
            connection.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
        yield connection
        connection.execute("SET session_replication_role = replica")
        for table in tables:
            connection.execute(f"DELETE FROM {table}")
            connection.execute(f"INSERT INTO {table} TABLE kept_{table}")
