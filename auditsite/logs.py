"""What no line of the log may show."""

from structlog.typing import EventDict, WrappedLogger

from audittrail.env.addresses import without_credentials


def hide_credentials(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """A processor of structlog: libraries and tracebacks quote addresses as they were configured."""
    return {name: without_credentials(value) if isinstance(value, str) else value for name, value in line.items()}
