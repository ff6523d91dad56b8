"""manage.py run_consumer"""

import argparse
import sys

from django.core.management.base import BaseCommand, CommandError

from consumers import stages
from consumers.errors import Fenced
from consumers.messages import tracing

RELAY = {"relay", "relay_outbox"}

DESCRIPTION = """\
Runs one process of a stage until SIGTERM or Ctrl-C.

  relay      (or relay_outbox)  outbox in PostgreSQL     → content-audit-trail, exactly once
  enricher   content-audit-trail                         → content-audit-trail.enriched
  database   content-audit-trail.enriched, .dead-letters → PostgreSQL
  search     content-audit-trail.enriched                → Elasticsearch
  archive    content-audit-trail.enriched                → S3

Each process of a stage has a slot of its own, counted from 1: it is its identity in the consumer group (enricher in slot 1 is
processor-node-01), so a process restarted in time takes over its partitions without a rebalance. Two processes in one slot fence
each other: the older one ends.

What the process is about to do can be changed while it runs: the page of consumers in the admin pauses, resumes and stops a stage.
While something it needs is away it waits, says in the admin for what, and keeps its partitions.

Usually manage.py run_consumers starts these processes, for all stages, and keeps them running."""

EPILOG = """\
exit status: 0 after a stop; 3 when another process has taken over its identity (start it anew if that was not meant).

examples:
  manage.py run_consumer enricher
  manage.py run_consumer enricher --slot 2          a second process, sharing the partitions
  AUDIT_METRICS_PORT=9400 manage.py run_consumer database"""

FENCED = 3


class Command(BaseCommand):
    help = "Runs one process of a stage until SIGTERM or Ctrl-C."
    # They load every page: too long for a process that has died and must be back. The supervisor has run them.
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG
        parser.add_argument(
            "name",
            choices=sorted({*stages.STAGES, *RELAY}),
            metavar="NAME",
            help="relay, enricher, database, search or archive",
        )
        parser.add_argument(
            "--slot", type=int, default=1, metavar="N", help="which process of the stage this is, from 1 (default: 1)"
        )

    def handle(self, *, name: str, slot: int, **options):
        if slot < 1:
            raise CommandError(f"--slot {slot}: slots count from 1.")
        with tracing.exported("relay" if name in RELAY else name):
            if name in RELAY:
                self._relay(slot)
            else:
                self._run(name, slot)

    def _relay(self, slot: int) -> None:
        from consumers.relay.runner import run

        run(slot)

    def _run(self, name: str, slot: int) -> None:
        from consumers.runtime.process import run_stage

        try:
            run_stage(stages.make(name), slot)
        except Fenced as error:
            self.stderr.write(self.style.ERROR(f"{name} in slot {slot} ends: {error}"))
            sys.exit(FENCED)
