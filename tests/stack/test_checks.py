"""What is refused before anything starts, and what the user is told."""

import os
import socket
import subprocess

import pytest

from stack import checks, fleet, java, packages
from stack.errors import StackError
from stack.services.kafka import Kafka
from stack.services.redis import Redis
from stack.services.service import Stack


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def stack(base: int = 23000, brokers: int = 3) -> Stack:
    return Stack("checked", base, brokers)


@pytest.mark.enable_socket
def test_a_port_in_use_names_its_holder(listener):
    redis = Redis(stack(base=listener - 60))
    with pytest.raises(
        StackError, match=rf"Port {listener}, needed by redis, is in use by process {os.getpid()} \(.*pytest"
    ):
        checks.check_ports([redis])


@pytest.mark.enable_socket
def test_a_port_nobody_listens_on_is_free(listener):
    assert not checks.is_free(listener)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert checks.is_free(port)


def test_too_little_memory_says_how_much_is_needed(monkeypatch):
    monkeypatch.setattr(checks, "available_megabytes", lambda: 1000)
    checks.check_memory(fleet.select(stack(), ["kafka"], node=1))
    with pytest.raises(StackError, match=r"1350 MB are needed, 1000 MB are available.*\n.*--brokers 1"):
        checks.check_memory(fleet.select(stack(), ["kafka"]))


def test_without_privileges_the_command_to_install_is_given(monkeypatch):
    monkeypatch.setattr(packages, "missing", list)
    monkeypatch.setattr(packages, "_privilege", lambda: None)
    with pytest.raises(StackError, match="sudo apt-get install --yes --no-install-recommends postgresql redis-server"):
        packages.install(["postgresql", "redis-server"], print)


def test_a_missing_program_is_noticed(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert packages.missing(["redis-server"]) == ["redis-server"]


@pytest.fixture
def machine_home():
    java.machine_home.cache_clear()
    yield java.machine_home
    java.machine_home.cache_clear()


def test_without_java_the_package_is_named(monkeypatch, machine_home):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StackError, match=r"No Java.*\n.*apt-get install default-jre-headless"):
        machine_home()


def test_an_old_java_is_refused(monkeypatch, tmp_path, machine_home):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StackError, match="is Java 8: Elasticsearch needs 17"):
        machine_home()


def test_an_unknown_service_is_refused_with_the_known():
    with pytest.raises(StackError, match=r"no service kafak(.|\n)*kafka, elasticsearch"):
        fleet.select(stack(), ["kafak"])


def test_a_node_there_is_not_is_refused():
    with pytest.raises(StackError, match=r"no node 4(.|\n)*from 1 to 3"):
        fleet.select(stack(), ["kafka"], node=4)


def test_a_service_brings_what_it_needs():
    assert [service.label for service in fleet.with_needs(stack(), ["registry"])] == ["registry", "postgres"]


@pytest.mark.parametrize(("brokers", "replicas", "in_sync"), [(3, 3, 2), (1, 1, 1)])
def test_kafka_replicates_as_far_as_there_are_brokers(brokers, replicas, in_sync):
    properties = Kafka(stack(brokers=brokers)).properties()
    assert properties["default.replication.factor"] == replicas
    assert properties["offsets.topic.replication.factor"] == replicas
    assert properties["min.insync.replicas"] == in_sync
    assert properties["transaction.state.log.min.isr"] == in_sync
    assert str(properties["controller.quorum.voters"]).count("@") == brokers


def test_the_command_line_reports_an_error_without_a_traceback():
    command = ["python3", "-m", "stack", "start", "kafka", "--node", "9"]
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "STACK": "dev", "STACK_PORT_BASE": "x"}
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Error: STACK_PORT_BASE='x'")
