"""manage.py install_capture"""

import argparse
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from audittrail.capture.differences import named
from audittrail.capture.inspection import inspect
from audittrail.capture.install import DEADLINE, LOCK_TIMEOUT, install

DESCRIPTION = f"""\
Holds capture against the database's catalogue, and installs what differs: functions first, then each table's triggers
in a transaction of their own, then rights. What is right is not touched.

It may run while people work. A table's lock is waited for {LOCK_TIMEOUT} at a time, so that no save waits longer behind
it; a table that is in use is tried again until --timeout, while the others are installed.

manage.py migrate does the same at its end. This command is for what happened in between: a trigger that was dropped or
disabled, a partition attached, a dump restored without rights."""

EPILOG = """\
exit status: 0 when capture is as it should be, 1 with a list of what is not and of what mends it.

examples:
  manage.py install_capture --check       what is wrong, if anything; any role may ask: --database default
  manage.py install_capture --dry-run     the SQL that would mend it
  manage.py install_capture"""


class Command(BaseCommand):
    help = "Holds capture against the database's catalogue, and installs what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="only say what is wrong")
        what.add_argument("--dry-run", action="store_true", help="only print the SQL that would mend it")
        parser.add_argument(
            "--timeout",
            type=float,
            default=DEADLINE.total_seconds(),
            metavar="SECONDS",
            help=f"how long tables in use are tried again (default: {DEADLINE.total_seconds():.0f})",
        )
        parser.add_argument(
            "--database", default="owner", metavar="ALIAS", help="as which role: the owner's, by default"
        )

    def handle(self, *, check: bool, dry_run: bool, timeout: float, database: str, **options: object) -> None:
        if database not in connections:
            raise CommandError(f"--database {database}: there are {', '.join(connections)}.")
        try:
            if dry_run:
                self._print_statements(database)
                return
            found = inspect(database)
            if not check:
                if not found.tables:
                    raise CommandError("The audit trail has no tables in this database. Run manage.py migrate.")
                install(database, deadline=timedelta(seconds=timeout), progress=self.stdout.write)
                found = inspect(database)
            if found.problems:
                raise CommandError("\n".join(["Capture is not as it should be:", *named(found.problems)]))
            self.stdout.write(self.style.SUCCESS(str(found)))
        except OperationalError as error:
            raise CommandError(f"PostgreSQL is not there, or refuses: {error}") from error

    def _print_statements(self, database: str) -> None:
        problems = inspect(database).problems
        if not problems:
            self.stdout.write("-- Nothing to mend: capture is as it should be.")
        for difference in problems:
            self.stdout.write(f"-- {difference}")
            for statement in difference.statements or [f"-- {difference.remedy}"]:
                self.stdout.write(statement)
