"""Wakes the relay after a commit: best effort, and never in the way of a save.

A relay looks for new events by itself many times a second; a wake only spares it the wait. Sending one may block for
seconds while Redis is frozen, so it happens in a thread of its own, where any number of saves make one wake.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

from celery import current_app

log = logging.getLogger(__name__)

WAKE_TASK = "consumers.tasks.wake_relay"
"""By name: tasks are above the relay."""
BETWEEN_SECONDS = 0.05
REST_SECONDS = 5.0
"""How long no wake is tried after one that failed."""


class Waker:
    """Calls `send` in a daemon thread soon after `request`; whatever `send` raises is logged and forgotten."""

    def __init__(self, send: Callable[[], object]) -> None:
        self._send = send
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._pid: int | None = None

    def request(self) -> None:
        """Returns at once."""
        self._wanted.set()
        if self._pid != os.getpid():
            self._start()

    def _start(self) -> None:
        with self._lock:
            # A process that forked (a prefork worker) has no copy of the thread.
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="relay-waker", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._send()
                time.sleep(BETWEEN_SECONDS)
            except Exception as error:
                log.warning("The relay was not woken and will find the events by itself: %s", error)
                time.sleep(REST_SECONDS)


def _send() -> None:
    current_app.send_task(WAKE_TASK, expires=5, retry=False, ignore_result=True)


_waker = Waker(_send)


def wake_soon(**_: object) -> None:
    """Receiver of audittrail.capture.context.captured."""
    _waker.request()
