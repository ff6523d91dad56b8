"""manage.py import_history FILE: an editorial history, replayed through real saves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from newsroom.history.importer import Importer
from newsroom.history.reader import HistoryError, read
from newsroom.pace import Pace, positive, stopped_by_signals

# Any number that no other advisory lock of this database uses.
_LOCK = 0x6E657773


class Command(BaseCommand):
    help = "Replay an editorial history (gzip, JSON Lines) through real saves. Run again, it goes on where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="such as peps-history.jsonl.gz")
        parser.add_argument("--limit", type=positive(int), metavar="N", help="import at most N events in this run")
        parser.add_argument(
            "--rate", type=positive(float), metavar="EVENTS_PER_SECOND", help="at most so many events a second"
        )

    def handle(self, file: Path, limit: int | None, rate: float | None, **options: object) -> None:
        with _only_import(), _progress() as progress, stopped_by_signals() as stop:
            try:
                total = _check(file, progress)
                started = time.monotonic()
                saved, reached = _replay(file, limit, Pace(rate, stop), progress, total)
            except HistoryError as error:
                raise CommandError(str(error)) from None
        seconds = time.monotonic() - started
        self.stdout.write(
            f"{saved:,} events imported in {seconds:.1f} s ({saved / seconds:,.0f} a second); "
            f"{reached:,} of the {total:,} in {file.name} are in the newsroom."
        )


def _check(file: Path, progress: Progress) -> int:
    """Read the whole file before the first save, so that a damaged one changes nothing.  Returns its number of
    events.
    """
    task = progress.add_task("Checking", total=None)
    count = 0
    for count, _ in enumerate(read(file), start=1):
        progress.update(task, completed=count)
    progress.update(task, total=count)
    return count


def _replay(file: Path, limit: int | None, pace: Pace, progress: Progress, total: int) -> tuple[int, int]:
    """Returns how many events this run saved, and how many of the file are saved altogether."""
    importer = Importer()
    task = progress.add_task("Importing", total=total)
    saved = reached = 0
    for event in read(file):
        if not importer.is_done(event):
            if saved == limit or not pace.wait():
                break
            importer.apply(event)
            saved += 1
        reached += 1
        progress.update(task, completed=reached)
    return saved, reached


@contextmanager
def _only_import() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise CommandError("Another import is running on this database. Wait for it, or stop it.")
        # Thousands of commits need not wait for the disk: what a crash of PostgreSQL takes back, rows and events alike,
        # the next run imports again; and before an event leaves, the relay's own commit has brought it to the disk.
        cursor.execute("SET synchronous_commit = off")
        try:
            yield
        finally:
            cursor.execute("RESET synchronous_commit")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
