"""What every service has in common."""

import signal
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
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


class Service(ABC):
    """One process of a stack (a broker is one): how it is prepared, started and asked for its health."""

    name: ClassVar[str]
    megabytes: ClassVar[int]  # memory it is expected to take
    packages: ClassVar[tuple[str, ...]] = ()
    download: ClassVar[Archive | Libraries | None] = None
    needs: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, stack: Stack, node: int = 1) -> None:
        self.stack = stack
        self.node = node

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the program, as people write it."""

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """Where it listens; clients use the first."""

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
        if self.download is None:
            raise TypeError(f"{self.name} is a Debian package, and not downloaded")
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

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration and, the first time, make the data. May be called again."""

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments that start it."""

    def environment(self) -> Mapping[str, str]:
        return {}

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    def complete(self) -> None:  # noqa: B027 - most services need nothing more
        """What can be done only once it answers. May be called again."""


def http_status(url: str) -> int | None:
    """Status of a GET; None without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN) as response:  # noqa: S310 - of the stack itself
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
