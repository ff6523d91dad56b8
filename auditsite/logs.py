"""What no line of the log may show, and what it need not."""

import logging

from structlog.typing import EventDict, WrappedLogger

from audittrail.env.addresses import without_credentials


def hide_credentials(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """A processor of structlog: libraries and tracebacks quote addresses as they were configured."""
    return {name: without_credentials(value) if isinstance(value, str) else value for name, value in line.items()}


class RefusalsInOneLine(logging.Filter):
    """A request that was refused, as without a login or a permission, is a line of the log and no fault of a program:
    it has no traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = None
        return True
