"""manage.py consumer_status"""

import argparse

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from rich.table import Table

from audittrail.capture.differences import named
from audittrail.capture.inspection import Inspection, inspect
from consumers.management.console import console
from consumers.supervision.status import StageStatus, Status, collect

DESCRIPTION = """\
Shows each stage: what it should do and what it does, its processes, its lag and what that amounts to.

  lag       messages still to be read, for the relay events still to be published; "?" where it cannot be told
  verdict   of each partition, the worst: ok, catching up, warn (falling behind), rewound (its offset was set back),
            stalled (no progress), paused, stopped (nobody reads), alert (above the threshold for too long), halted (a
            partition waits for its release), or unknown (no fresh sample). What it is about is said below the table.

Last, whether capture is on, and what mends it if it is not."""

EPILOG = """\
exit status: 0 when every stage is as desired, 1 otherwise.

examples:
  manage.py consumer_status
  manage.py consumer_status --json | python -m json.tool"""

COLOURS = {
    "running": "green",
    "ok": "green",
    "paused": "yellow",
    "warn": "yellow",
    "waiting": "yellow",
    "starting": "cyan",
    "stopped": "dim",
}


class Command(BaseCommand):
    help = "Shows each stage: desired and observed state, processes, lag."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *, json: bool, **options: object) -> None:
        try:
            status, capture = collect("pipeline"), inspect("pipeline")
        except OperationalError as error:
            raise CommandError(
                f"PostgreSQL is not there: {error} Start it (python -m stack up), then run this again."
            ) from error
        if json:
            found = status.as_dict() | {"capture_problems": named(capture.problems)}
            self.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        else:
            self._show(status, capture)
        raise SystemExit(0 if all(stage.as_desired for stage in status.stages) else 1)

    def _show(self, status: Status, capture: Inspection) -> None:
        output = console(self.stdout)
        table = Table("stage", "desired", "observed", "processes", "lag", "verdict", "group in Kafka")
        for stage in status.stages:
            table.add_row(*_row(stage))
        output.print(table)
        for stage in status.stages:
            if stage.reason:
                output.print(f"{stage.stage} is {_coloured(stage.observed_state)}: {stage.reason}")
            if stage.explanation:
                output.print(f"{stage.stage} is {_coloured(stage.verdict)}: {stage.explanation}")
        if status.kafka_problem:
            output.print(status.kafka_problem, style="red")
        output.print(str(capture), style="green" if capture.is_on else "red")
        for problem in named(capture.problems):
            output.print(problem, style="red", markup=False)


def _row(stage: StageStatus) -> list[str]:
    members = f"{stage.view.state.lower()}, {len(stage.view.members)}" if stage.view.state else "–"
    return [
        stage.stage,
        f"{stage.desired_state} × {stage.desired_processes}",
        _coloured(stage.observed_state),
        str(stage.alive),
        "?" if stage.lag is None else f"{stage.lag:,}",
        _coloured(stage.verdict),
        members,
    ]


def _coloured(word: str) -> str:
    colour = COLOURS.get(word, "red")
    return f"[{colour}]{word}[/{colour}]"
