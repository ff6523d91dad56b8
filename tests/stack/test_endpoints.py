"""Ports and names of stacks."""

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import addresses, endpoints, places
from stack.errors import StackError
from testkit.paths import ROOT

EPHEMERAL = 32768  # first of the ports Linux gives to clients


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.delenv("STACK_PORT_BASE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.mark.parametrize(("name", "base"), [("dev", 21000), ("test", 22000)])
def test_the_named_stacks_have_ports_of_their_own(name, base):
    assert endpoints.base_port(name) == base


@given(st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True).filter(lambda name: name not in endpoints.BASES))
def test_other_stacks_stay_clear_of_the_named_and_of_ephemeral_ports(name):
    base = endpoints.base_port(name)
    assert 23000 <= base <= EPHEMERAL - 100
    assert base == endpoints.base_port(name)


def test_stack_port_base_moves_all_ports(monkeypatch):
    monkeypatch.setenv("STACK_PORT_BASE", "40000")
    found = addresses("dev")
    assert found.redis_url == "redis://127.0.0.1:40060/0"
    assert found.postgres == ("127.0.0.1", 40050)


@pytest.mark.parametrize("value", ["http", "80", "65500", "-1", "²"])
def test_a_port_base_that_is_none_is_refused_by_name(monkeypatch, value):
    monkeypatch.setenv("STACK_PORT_BASE", value)
    with pytest.raises(StackError, match="STACK_PORT_BASE"):
        addresses("dev")


@pytest.mark.parametrize("name", ["../dev", "Dev", "a b", "-x", "a" * 40])
def test_a_stack_name_that_is_no_folder_name_is_refused(monkeypatch, name):
    monkeypatch.setenv("STACK", name)
    with pytest.raises(StackError, match="STACK="):
        places.stack_name()


def test_addresses_follow_the_stack_of_the_environment(monkeypatch):
    monkeypatch.setenv("STACK", "test")
    assert addresses() == addresses("test") != addresses("dev")


def test_the_registry_is_addressed_as_its_clients_expect():
    assert addresses("dev").registry_url == "http://127.0.0.1:21030/apis/ccompat/v7"


def test_bootstrap_names_the_brokers_there_are():
    places.state("dev").mkdir(parents=True)
    assert addresses("dev").kafka_bootstrap == "127.0.0.1:21001,127.0.0.1:21002,127.0.0.1:21003"
    endpoints.record_brokers("dev", 1)
    assert addresses("dev").kafka_bootstrap == "127.0.0.1:21001"


def test_addresses_are_frozen():
    with pytest.raises(FrozenInstanceError):
        addresses("dev").s3_url = ""  # type: ignore[misc]  # what the test is about


def test_importing_the_addresses_needs_the_standard_library_only():
    code = "import stack, sys; stack.addresses(); print(*sorted(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert "stack.endpoints" in result.stdout.split()
    assert not {"rich", "subprocess", "stack.lifecycle"} & set(result.stdout.split())
