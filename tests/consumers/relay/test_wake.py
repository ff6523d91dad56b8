"""Waking the relay: soon after a commit, once for many, and never in the way of a save."""

import socket
import threading
import time

import pytest

from audittrail.capture.context import captured
from consumers import database
from consumers.relay import wake
from consumers.relay.store import LaneStore
from consumers.tasks import wake_relay
from testkit.waiting import until


def test_many_requests_make_few_wakes():
    sent, going_on = [], threading.Event()

    def send():
        sent.append(1)
        going_on.wait(10)

    waker = wake.Waker(send)
    for _ in range(100):
        waker.request()
    until(lambda: sent, what="a first wake")
    going_on.set()
    until(lambda: len(sent) == 2, what="a second wake, for what came during the first")


def test_a_failing_wake_is_forgotten_and_the_next_one_tried(monkeypatch):
    monkeypatch.setattr(wake, "REST_SECONDS", 0.01)
    calls = []

    def send():
        calls.append(1)
        raise ConnectionError("Redis refuses")

    waker = wake.Waker(send)
    waker.request()
    until(lambda: len(calls) == 1)
    waker.request()
    until(lambda: len(calls) == 2, what="another try")


@pytest.fixture
def frozen_redis():
    """A server that takes connections and never answers; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def refusing_redis():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


@pytest.mark.enable_socket
@pytest.mark.parametrize("redis", ["frozen_redis", "refusing_redis"])
def test_the_receiver_returns_while_redis_does_not(redis, request, monkeypatch):
    from auditsite.celery import app

    address = request.getfixturevalue(redis)
    entered, left = threading.Event(), threading.Event()

    def send():
        entered.set()
        try:
            with app.connection_for_write(address) as connection:
                wake_relay.apply_async(connection=connection, retry=False)  # type: ignore[call-arg]  # it passes options on
        finally:
            left.set()

    monkeypatch.setattr(wake, "_waker", wake.Waker(send))

    captured.send(sender=None)
    returned_first = not left.is_set()

    assert entered.wait(10), "the wake was not tried"
    assert returned_first
    assert left.wait(30), "the wake hangs for ever"


def test_the_task_that_is_sent_by_name_exists():
    assert wake_relay.name == wake.WAKE_TASK


def _wait(store: LaneStore, woken: threading.Event) -> None:
    store.wait(30)
    woken.set()


def test_a_wake_reaches_a_waiting_lane(fresh_database):
    with database.connect() as connection:
        store = LaneStore(connection, 1)
        woken = threading.Event()
        waiting = threading.Thread(target=_wait, args=(store, woken), daemon=True)
        started = time.monotonic()
        waiting.start()

        def is_woken() -> bool:
            wake_relay()
            return woken.is_set()

        until(is_woken, what="a wake")
        assert time.monotonic() - started < 30
        waiting.join()
