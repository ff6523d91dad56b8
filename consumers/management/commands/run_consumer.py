"""manage.py run_consumer"""

import argparse
import sys
from collections.abc import Sequence

from django.core.management.base import BaseCommand, CommandError, CommandParser

from consumers import stages
from consumers.errors import Fenced
from consumers.messages import tracing
from consumers.runtime.stage_spec import StageSpec

DESCRIPTION = """\
Runs one process of a stage until SIGTERM or Ctrl-C.

{stages}

Each process of a stage has a slot of its own, counted from 1: it is its identity in the consumer group (enricher in
slot 1 is processor-node-01), so a process restarted in time takes over its partitions without a rebalance. Two
processes in one slot fence each other: the older one ends.

What the process is about to do can be changed while it runs: the page of consumers in the admin pauses, resumes and
stops a stage. While something it needs is away it waits, says in the admin for what, and keeps its partitions.

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

    def add_arguments(self, parser: CommandParser) -> None:
        specs = stages.table().values()
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION.format(stages="\n".join(map(_help_line, specs))), EPILOG
        parser.add_argument(
            "name",
            choices=sorted(name for spec in specs for name in (spec.name, *spec.aliases)),
            metavar="NAME",
            help=_listed([spec.name for spec in specs]),
        )
        parser.add_argument(
            "--slot", type=int, default=1, metavar="N", help="which process of the stage this is, from 1 (default: 1)"
        )

    def handle(self, *, name: str, slot: int, **options: object) -> None:
        if slot < 1:
            raise CommandError(f"--slot {slot}: slots count from 1.")
        spec = stages.find(name)
        with tracing.exported(spec.name):
            try:
                spec.run(slot)
            except Fenced as error:
                self.stderr.write(self.style.ERROR(f"{spec.name} in slot {slot} ends: {error}"))
                sys.exit(FENCED)


def _help_line(spec: StageSpec) -> str:
    source, _, target = (spec.help or spec.route).partition(" → ")
    aliases = "".join(f"(or {alias})  " for alias in spec.aliases)
    return f"  {spec.name:10} {aliases + source:43} → {target}"


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
