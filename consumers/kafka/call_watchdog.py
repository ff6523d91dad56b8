"""A limit on calls to Kafka that may never return.

librdkafka can wait without end in send_offsets_to_transaction, whatever timeout it was given, when all connections
break at a certain moment. Nothing in the process can end such a call; the process can be ended, and its successor
under the same transactional id settles what was open.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("consumers.kafka")

GRACE_SECONDS = 5.0
STUCK = 4
"""Exit status of a process that was stuck."""


@contextmanager
def enforced(seconds: float, call: str) -> Iterator[None]:
    """End the process if the block has not ended GRACE_SECONDS after the call's own timeout of `seconds`."""
    timer = threading.Timer(seconds + GRACE_SECONDS, _end, [call])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(call: str) -> None:
    log.critical("%s did not return: the process ends, to be started anew", call)
    logging.shutdown()
    os._exit(STUCK)
