"""What every service has in common."""

import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stack import cache, java, places
from stack.versions import Archive, Libraries

ANSWER_WITHIN = 3  # seconds


@dataclass(frozen=True)
class Stack:
    """A named set of services: its first port and the number of its Kafka brokers."""

    name: str
    base: int
    brokers: int

    @property
    def directory(self) -> Path:
        return places.state(self.name)


class Service:
    """One process of a stack (a broker is one): how it is prepared, started and asked for its health."""

    name: ClassVar[str]
    megabytes: ClassVar[int]  # memory it is expected to take
    packages: ClassVar[tuple[str, ...]] = ()
    download: ClassVar[Archive | Libraries | None] = None
    needs: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    version: str
    ports: tuple[int, ...]

    def __init__(self, stack: Stack, node: int = 1) -> None:
        self.stack = stack
        self.node = node

    @property
    def label(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def directory(self) -> Path:
        """Its configuration and data, writable by it."""
        return self.stack.directory / self.label

    @property
    def log(self) -> Path:
        return self.stack.directory / "logs" / f"{self.label}.log"

    @property
    def pid_file(self) -> Path:
        return self.stack.directory / "run" / f"{self.label}.json"

    @property
    def program(self) -> Path:
        """Folder of the downloaded program."""
        return places.cache() / self.download.directory

    @property
    def daemon_pid_file(self) -> Path | None:
        """Where a service that goes to the background by itself writes its pid; None for all others."""
        return None

    def fetch(self, report: cache.Report) -> None:
        """Bring what it runs on into the cache."""
        if self.download:
            cache.fetched(self.download, report)
            java.fetched(report)

    def prepare(self) -> None:
        """Write the configuration and, the first time, make the data. May be called again."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def is_ready(self) -> bool:
        raise NotImplementedError

    def complete(self) -> None:
        """What can be done only once it answers. May be called again."""


def http_status(url: str) -> int | None:
    """Status of a GET; None without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
