"""A small stack of its own, started, killed and ended."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
import redis

from stack import Addresses, addresses, places
from testkit.paths import ROOT

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

NAME = f"pytest-{os.getpid()}"
SERVICES = ("redis", "postgres", "s3")


def run(*arguments: str, name: str = NAME) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stack", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "STACK": name}, capture_output=True, text=True)


def succeed(*arguments: str, name: str = NAME) -> str:
    result = run(*arguments, name=name)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def processes_of(name: str) -> list[str]:
    """Names of the processes that work in the stack's folder; Redis and PostgreSQL's children hide it from their
    titles.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").readlink().is_relative_to(places.state(name)):
                found.append((path / "comm").read_text().strip())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def small() -> Iterator[Addresses]:
    try:
        succeed("up", *SERVICES)
        yield addresses(NAME)
    finally:
        succeed("down", "--delete-data")


def connect(small: Addresses, user: str, password: str | None = None) -> psycopg.Connection:
    host, port = small.postgres
    return psycopg.connect(host=host, port=port, dbname="audit", user=user, password=password or user, autocommit=True)


def test_starting_again_changes_nothing(small):
    before = sorted((places.state(NAME) / "run").glob("*.json"))
    pids = [path.read_text() for path in before]
    assert len(pids) == len(SERVICES)
    succeed("up", *SERVICES)
    assert [path.read_text() for path in before] == pids


def test_fetching_starts_nothing_and_needs_no_python_packages():
    name = f"{NAME}-fetched"
    command = [sys.executable, "-S", "-m", "stack", "fetch"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "STACK": name}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("fetched") == 8
    assert processes_of(name) == []


def test_redis_keeps_its_data_when_killed(small):
    redis.from_url(small.redis_url).set("kept", "yes")
    succeed("kill", "redis")
    with pytest.raises(redis.ConnectionError):
        redis.from_url(small.redis_url, retry=None).ping()
    succeed("start", "redis")
    assert redis.from_url(small.redis_url).get("kept") == b"yes"


def test_postgres_keeps_its_data_when_killed(small):
    with connect(small, "audit_owner") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    succeed("kill", "postgres")
    succeed("start", "postgres")
    with connect(small, "audit_owner") as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_s3_keeps_its_data_when_killed(small):
    client = boto3.client(
        "s3",
        endpoint_url=small.s3_url,
        region_name="us-east-1",
        aws_access_key_id=small.s3_access_key,
        aws_secret_access_key=small.s3_secret_key,
    )
    client.create_bucket(Bucket="kept")
    client.put_object(Bucket="kept", Key="key", Body=b"value")
    succeed("kill", "s3")
    succeed("start", "s3")
    assert client.get_object(Bucket="kept", Key="key")["Body"].read() == b"value"


def test_roles_must_give_their_password(small):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(small, "audit_app", password="wrong")


def test_the_application_may_not_create_tables(small):
    with connect(small, "audit_app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE forbidden ()")


def test_a_stopped_service_shows_in_the_status(small):
    succeed("stop", "redis")
    result = run("status")
    assert result.returncode == 3
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("redis"))
    assert line.endswith("stopped")
    succeed("start", "redis")


def test_the_log_can_be_read(small):
    assert "database system is ready to accept connections" in succeed("logs", "postgres")


def test_a_taken_port_is_an_error_that_names_the_holder(small, monkeypatch):
    monkeypatch.setenv("STACK_PORT_BASE", str(small.postgres[1] - 50))
    result = run("up", "redis", name=f"{NAME}-b")
    succeed("down", "--delete-data", name=f"{NAME}-b")
    assert result.returncode == 1
    assert "needed by redis, is in use by process" in result.stderr
    assert "Remedy: stop that program, or choose other ports" in result.stderr


def test_down_leaves_no_process():
    name = f"{NAME}-c"
    succeed("up", "redis", "postgres", name=name)
    assert {"redis-server", "postgres"} <= set(processes_of(name))
    succeed("down", name=name)
    assert processes_of(name) == []
    succeed("down", "--delete-data", name=name)
    assert not places.state(name).exists()
