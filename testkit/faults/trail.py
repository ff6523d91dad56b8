"""Which trail is under fire: its names, and where its services are."""

import os
import subprocess
import sys
from dataclasses import dataclass

import stack
from testkit.paths import ROOT


@dataclass(frozen=True)
class Trail:
    """A prefix and a database on the stack that STACK names."""

    prefix: str
    database: str

    @property
    def raw(self) -> str:
        return f"{self.prefix}content-audit-trail"

    @property
    def enriched(self) -> str:
        return f"{self.raw}.enriched"

    @property
    def dead_letters(self) -> str:
        return f"{self.raw}.dead-letters"

    @property
    def groups(self) -> dict[str, tuple[str, str]]:
        """Stage → the group that holds its positions, and their topic."""
        sinks = {
            stage: (f"{self.prefix}audit-trail-{stage}", self.enriched) for stage in ("database", "search", "archive")
        }
        return {
            "relay": (f"{self.prefix}relay", self.raw),
            "enricher": (f"{self.prefix}audit-trail-processor", self.raw),
            **sinks,
        }

    @property
    def addresses(self) -> stack.Addresses:
        return stack.addresses()

    @property
    def superuser(self) -> dict:
        """Parameters of a connection to PostgreSQL that may read everything."""
        host, port = self.addresses.postgres
        return {
            "host": host,
            "port": port,
            "dbname": self.database,
            "user": "postgres",
            "password": "postgres",
            "connect_timeout": 5,
        }

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints; it must succeed."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def verification(self) -> str:
        """What verify_trail finds wrong with everything; empty when nothing is."""
        done = self._run("verify_trail", "--grace", "0")
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def _run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True)

    def environment(self) -> dict[str, str]:
        """For processes that work on this trail."""
        return {**os.environ, "AUDIT_PREFIX": self.prefix, "DATABASE_NAME": self.database}
