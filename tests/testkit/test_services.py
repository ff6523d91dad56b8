"""A test without the mark `service` cannot reach one: it fails, and says why."""

import httpx
import psycopg
import pytest
from pytest_socket import SocketBlockedError

from consumers.kafka import clients
from consumers.models import Member
from testkit.services import ServiceTouched


def test_kafka_is_out_of_reach():
    with pytest.raises(ServiceTouched):
        clients.consumer("group", "member")


def test_postgresql_is_out_of_reach():
    with pytest.raises(ServiceTouched):
        psycopg.connect("host=127.0.0.1")


def test_the_orm_is_out_of_reach():
    # pytest-django refuses first, unless a module before it on this worker has a database that lives as long as that.
    with pytest.raises((RuntimeError, ServiceTouched)):
        Member.objects.count()


def test_what_speaks_http_is_out_of_reach():
    with pytest.raises(SocketBlockedError):
        httpx.get("http://127.0.0.1:9")
