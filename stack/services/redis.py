"""Redis, keeping every write in an append-only file."""

import re
import socket
import subprocess
from pathlib import Path

from stack import endpoints, places
from stack.services.service import ANSWER_WITHIN, Service

SETTINGS = """\
bind 127.0.0.1
port {port}
dir {directory}
appendonly yes
save ""
"""


class Redis(Service):
    name = "redis"
    megabytes = 20
    packages = ("redis-server",)

    @property
    def version(self) -> str:
        answer = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
        number = re.search(r"v=(\S+)", answer.stdout)
        return number[1] if number else "unknown"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.stack.base + endpoints.REDIS,)

    @property
    def address(self) -> str:
        return endpoints.addresses(self.stack.name).redis_url

    def prepare(self) -> None:
        places.own(self.directory)
        self._configuration.write_text(SETTINGS.format(port=self.ports[0], directory=self.directory))

    def command(self) -> list[str]:
        return ["redis-server", str(self._configuration)]

    def is_ready(self) -> bool:
        """Whether it answers PING; while it loads its data it answers with an error."""
        try:
            with socket.create_connection((endpoints.HOST, self.ports[0]), ANSWER_WITHIN) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def _configuration(self) -> Path:
        return self.directory / "redis.conf"
