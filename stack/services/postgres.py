"""PostgreSQL: a cluster of its own, with the roles and databases of the audit trail.

Roles have passwords equal to their names: this cluster listens on this machine only. They are
checked all the same (SCRAM), for what each role may not do is part of the product. The log of changes is logical, so
that tests can ask PostgreSQL itself what was changed; prepared transactions are allowed, as a site's server may.
"""

import shutil
import signal
import subprocess
from pathlib import Path

from stack import endpoints, places, processes, versions
from stack.errors import StackError
from stack.services.service import ANSWER_WITHIN, Service

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
wal_level = logical
max_prepared_transactions = 10
shared_buffers = 256MB
default_toast_compression = lz4
timezone = 'UTC'
log_timezone = 'UTC'
"""
ROLES = {"audit_owner": "CREATEDB", "audit_app": "", "audit_pipeline": "", "registry": ""}
DATABASES = {"audit": "audit_owner", "registry": "registry"}


class Postgres(Service):
    name = "postgres"
    megabytes = 300
    packages = ("postgresql",)
    stop_signal = signal.SIGINT  # its "fast" shutdown: does not wait for clients to leave

    @property
    def version(self) -> str:
        return programs().parent.name

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.stack.base + endpoints.POSTGRES,)

    def prepare(self) -> None:
        places.own(self.directory)
        if not self._data.exists():
            self._initialise()
        (self._data / "postgresql.auto.conf").write_text(SETTINGS.format(port=self.ports[0]))

    def command(self) -> list[str]:
        return [str(programs() / "postgres"), "-D", str(self._data)]

    def is_ready(self) -> bool:
        place = ["-h", endpoints.HOST, "-p", str(self.ports[0])]
        command = [str(programs() / "pg_isready"), "-q", *place, "-t", str(ANSWER_WITHIN)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def complete(self) -> None:
        """Create the roles and databases that are not there yet."""
        command = [str(programs() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        connection = {
            "PGHOST": endpoints.HOST,
            "PGPORT": str(self.ports[0]),
            "PGUSER": "postgres",
            "PGPASSWORD": "postgres",
        }
        processes.run(command, {**connection, "PGDATABASE": "postgres"}, self.directory, stdin=_accounts())

    def _initialise(self) -> None:
        """Make the cluster under another name first: an initdb that was interrupted leaves nothing behind."""
        unfinished, password = self.directory / "data.partial", self.directory / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.write_text("postgres")
        options = [
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        processes.run([str(programs() / "initdb"), *options, "-D", str(unfinished)], {}, self.directory)
        password.unlink()
        unfinished.rename(self._data)

    @property
    def _data(self) -> Path:
        return self.directory / "data"


def programs() -> Path:
    """Debian's folder of the newest PostgreSQL's programs. Raises StackError if that is too old."""
    found = max(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: int(path.parent.name), default=None)
    if found is None or int(found.parent.name) < versions.OLDEST_POSTGRES:
        installed = found.parent.name if found else "none"
        raise StackError(
            f"PostgreSQL {versions.OLDEST_POSTGRES} or later is needed; /usr/lib/postgresql has {installed}.",
            "run `apt-get install postgresql` on a current Debian or Ubuntu.",
        )
    return found


def _accounts() -> str:
    """SQL for psql that creates each role and database unless it exists."""
    roles = [
        f"SELECT 'CREATE ROLE {role} LOGIN {rights} PASSWORD ''{role}''' "
        f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"
        for role, rights in ROLES.items()
    ]
    databases = [
        f"SELECT 'CREATE DATABASE {database} OWNER {owner}' "
        f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec\n"
        for database, owner in DATABASES.items()
    ]
    # The owner may end the sessions of the other roles, and an autovacuum, as dropping a database in use must.
    return "".join([*roles, *databases, "GRANT audit_app, audit_pipeline, pg_signal_backend TO audit_owner;\n"])
