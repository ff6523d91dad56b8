"""manage.py run_consumers"""

import argparse

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from audittrail.capture.at_start import log_problems
from consumers.supervision import control, process_launcher
from consumers.supervision.supervisor import AlreadySupervised, Supervisor

DESCRIPTION = """\
Runs all stages, and keeps them running, until SIGTERM or Ctrl-C.

The desired state of each stage (running, paused or stopped, and in how many processes) is kept in the database and
set on the page of consumers in the admin; it is followed within a second. A process that dies is started anew, one
that falls silent for AUDIT_FROZEN_SECONDS (30) is killed first. Ending the supervisor ends all its processes, by
SIGTERM and, after AUDIT_SHUTDOWN_SECONDS (10), by SIGKILL. While PostgreSQL is away, what runs keeps running."""

EPILOG = """\
exit status: 0 after a stop; 1 when another supervisor runs on this host for the same AUDIT_PREFIX.

examples:
  manage.py run_consumers
  manage.py consumer_status         what runs, in which state, how far behind"""


class Command(BaseCommand):
    help = "Runs all stages, and keeps them running, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG

    def handle(self, **options: object) -> None:
        try:
            control.ensure_controls("pipeline")
            log_problems("pipeline")
            process_launcher.preload()
            Supervisor().run()
        except AlreadySupervised as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(
                f"PostgreSQL is not there: {error} Start it (python -m stack up), then run this again."
            ) from error
