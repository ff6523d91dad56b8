"""The proxy does to the traffic what it is told."""

import socket
import struct
import threading
from contextlib import contextmanager

import pytest

from testkit.faults.proxy import API_KEYS, Proxies, Proxy, changed

pytestmark = pytest.mark.enable_socket

SECONDS = 5
METADATA = 3


def _answers(connection: socket.socket) -> None:
    """A Kafka that answers each request with its correlation id."""
    with connection, connection.makefile("rb") as requests:
        while size := requests.read(4):
            request = requests.read(struct.unpack(">i", size)[0])
            connection.sendall(struct.pack(">i", 4) + request[4:8])


def _accepts(listener: socket.socket) -> None:
    try:
        while True:
            threading.Thread(target=_answers, args=listener.accept()[:1], daemon=True).start()
    except OSError:
        return


@pytest.fixture
def proxy():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accepts, args=(listener,), daemon=True).start()
        yield Proxy("kafka", listener.getsockname(), frames=True)


@contextmanager
def client(proxy: Proxy):
    with Proxies([proxy]) as running, socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as connection:
        yield running, connection


def ask(connection: socket.socket, key: int, correlation: int) -> None:
    connection.sendall(struct.pack(">ihhi", 8, key, 0, correlation))


def answer(connection: socket.socket) -> int:
    return struct.unpack(">ii", connection.recv(8, socket.MSG_WAITALL))[1]


def test_all_passes(proxy):
    with client(proxy) as (_, connection):
        for correlation in range(50):
            ask(connection, METADATA, correlation)
            assert answer(connection) == correlation


def test_only_the_chosen_replies_get_lost(proxy):
    with client(proxy) as (_, connection), changed(proxy, swallowed={API_KEYS["EndTxn"]}):
        ask(connection, METADATA, 1)
        ask(connection, API_KEYS["EndTxn"], 2)
        ask(connection, API_KEYS["OffsetCommit"], 3)
        assert [answer(connection), answer(connection)] == [1, 3]
    assert proxy.lost == {API_KEYS["EndTxn"]: 1}


def test_a_lost_reply_can_take_its_connection_along(proxy):
    with client(proxy) as (_, connection), changed(proxy, swallowed={API_KEYS["EndTxn"]}, cutting=True):
        ask(connection, API_KEYS["EndTxn"], 1)
        with pytest.raises((ConnectionError, struct.error)):
            answer(connection)


def test_what_is_held_arrives_later(proxy):
    with client(proxy) as (_, connection):
        with changed(proxy, held=True):
            ask(connection, METADATA, 1)
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                answer(connection)
        connection.settimeout(SECONDS)
        assert answer(connection) == 1


def test_a_cut_ends_connections_and_refuses_new_ones(proxy):
    with client(proxy) as (running, connection):
        ask(connection, METADATA, 1)
        answer(connection)
        proxy.shut = True
        running.hang_up(proxy)
        with pytest.raises((ConnectionError, struct.error)):
            answer(connection)
        with pytest.raises((ConnectionError, struct.error)):
            ask_anew(proxy)


def ask_anew(proxy: Proxy) -> int:
    with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as connection:
        ask(connection, METADATA, 2)
        return answer(connection)
