"""`python -m testkit.consumers.crashing POINT`: an enricher that kills itself with SIGKILL in its second transaction.

POINT: produced (before the offsets are sent), sent (before the commit), committed (after it, before anything is noted).
"""

import os
import signal
import sys
from unittest.mock import patch

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from consumers.kafka import clients  # noqa: E402 - Django is set up first
from consumers.runtime.process import make_loop  # noqa: E402 - Django is set up first
from consumers.stages.enricher import Enricher  # noqa: E402 - Django is set up first

KILLED_IN = 2


class Crashing:
    """A producer that ends the process at a point of its KILLED_INth transaction."""

    def __init__(self, producer, point: str):
        self._producer, self._point, self._transactions = producer, point, 0

    def __getattr__(self, name: str):
        return getattr(self._producer, name)

    def begin_transaction(self):
        self._transactions += 1
        self._producer.begin_transaction()

    def send_offsets_to_transaction(self, *arguments):
        self._producer.flush()
        self._die("produced")
        self._producer.send_offsets_to_transaction(*arguments)
        self._die("sent")

    def commit_transaction(self, *arguments):
        self._producer.commit_transaction(*arguments)
        self._die("committed")

    def _die(self, point: str) -> None:
        if point == self._point and self._transactions == KILLED_IN:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    make = clients.transactional_producer
    with patch.object(clients, "transactional_producer", lambda name: Crashing(make(name), sys.argv[1])):
        make_loop(Enricher(), 1).run()
