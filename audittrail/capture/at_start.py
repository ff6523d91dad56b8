"""A process that starts says in its log what is wrong with capture, and goes on."""

import logging
import threading

from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from audittrail.capture.inspection import inspect

log = logging.getLogger(__name__)

FIRST_REQUEST = "audittrail.capture.at_start"


def log_problems(using: str = DEFAULT_DB_ALIAS) -> None:
    """One error for each difference, with its remedy; a database that is away is no news of capture."""
    try:
        inspection = inspect(using)
    except DatabaseError as error:
        log.warning("Whether capture is on could not be told: %s", error)
        return
    for problem in inspection.problems:
        log.error("Capture is not as it should be: %s %s", problem, problem.remedy)


def log_problems_at_first_request() -> None:
    """In a thread: no request waits for it, or fails with it. Processes that serve no requests do not ask."""
    request_started.connect(_log_once, dispatch_uid=FIRST_REQUEST)


def _log_once(**_: object) -> None:
    if request_started.disconnect(dispatch_uid=FIRST_REQUEST):
        threading.Thread(target=_log_and_close, name="capture-check", daemon=True).start()


def _log_and_close() -> None:
    try:
        log_problems()
    finally:
        connections.close_all()
