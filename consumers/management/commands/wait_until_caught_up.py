"""manage.py wait_until_caught_up"""

import argparse
import time

from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consumers.errors import NotReady
from consumers.management.console import console
from consumers.models import DeadLetter
from consumers.operations.caught_up import Watch, goal

LOOK_SECONDS = 0.5
SHOWN = 5
"""Articles of each store that a report names."""

DESCRIPTION = """\
Waits until every event saved before this call is published and in database, search index and archive. Events saved
later are not waited for.

A store has arrived when it holds, for each article, every sequence up to the one the article had at the call; the
archive, when its group has passed everything that enricher and relay had passed on."""

EPILOG = """\
exit status: 0 when all has arrived; 1 when it has not within the timeout: it is then said what is missing where.

examples:
  manage.py wait_until_caught_up
  manage.py wait_until_caught_up --timeout 60"""


class Command(BaseCommand):
    help = "Waits until everything saved so far is in database, index and archive."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG
        parser.add_argument(
            "--timeout", type=float, default=600, metavar="SECONDS", help="how long to wait (default: 600)"
        )

    def handle(self, *, timeout: float, **options: object) -> None:
        try:
            watch = Watch(goal())
        except OperationalError as error:
            raise CommandError(
                f"PostgreSQL is not there: {error} Start it (python -m stack up), then run this again."
            ) from error
        output = console(self.stdout)
        output.print(f"{watch.goal.events:,} events of {len(watch.goal.heads):,} articles")
        problem = self._wait(watch, output, time.monotonic() + timeout)
        if not watch.is_reached:
            raise CommandError(f"Not all has arrived within {timeout:.0f} s.\n{_report(watch, problem)}")
        output.print("All of it has arrived.")

    def _wait(self, watch: Watch, output: Console, deadline: float) -> str:
        """Look until all has arrived, or the deadline; what kept the last look from succeeding, if anything."""
        columns = (
            TextColumn("{task.description:9}"),
            BarColumn(),
            TextColumn("{task.fields[left]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=output) as progress:
            bars = {
                stage: progress.add_task(stage, total=max(1, watch.goal.events), left="") for stage in watch.missing
            }
            while True:
                problem = _look(watch)
                _draw(progress, bars, watch)
                if watch.is_reached or time.monotonic() > deadline:
                    return problem
                time.sleep(LOOK_SECONDS)


def _look(watch: Watch) -> str:
    try:
        watch.look()
        return ""
    except KafkaException as error:
        return f"Kafka: {error.args[0].str()}"
    except (OperationalError, NotReady) as error:
        return str(error).strip()


def _draw(progress: Progress, bars: dict[str, TaskID], watch: Watch) -> None:
    for stage, bar in bars.items():
        left = watch.missing[stage]
        done = 0 if left is None else max(0, watch.goal.events - left)
        progress.update(
            bar, completed=max(1, done) if left == 0 else done, left="" if left is None else f"{left:,} left"
        )


def _report(watch: Watch, problem: str) -> str:
    lines = [f"{stage}: {_amount(left)}" for stage, left in watch.missing.items() if left != 0]
    for stage, lacking in watch.lacking.items():
        lines += [f"  {stage}: {article} lacks {count} events" for article, count in list(lacking.items())[:SHOWN]]
    if aside := watch.set_aside():
        lines.append(f"{aside} events are set aside because they violate the contract: see the outbox in the admin")
    if letters := DeadLetter.objects.using("pipeline").waiting().count():
        lines.append(f"{letters} dead letters wait to be replayed: see the dead letters in the admin")
    return "\n".join([*lines, problem] if problem else lines)


def _amount(left: int | None) -> str:
    return "cannot be told yet, as what comes before it is not done" if left is None else f"{left:,} events missing"
