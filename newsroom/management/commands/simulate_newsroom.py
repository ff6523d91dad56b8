"""manage.py simulate_newsroom: a newsroom at work, through real saves."""

import time
from random import Random

from django.core.management.base import BaseCommand, CommandParser

from newsroom.pace import Pace, positive, stopped_by_signals
from newsroom.simulation.play import Newsroom

_PROGRESS_SECONDS = 10.0


class Command(BaseCommand):
    help = "Play a believable newsroom through real saves, until Ctrl-C, or as many articles or minutes as asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--articles", type=positive(int), metavar="N", help="write N articles, see them through, and end"
        )
        parser.add_argument(
            "--rate", type=positive(float), default=1.0, metavar="R", help="saves a second (default: 1)"
        )
        parser.add_argument("--seed", type=int, metavar="S", help="the same seed plays the same newsroom")
        parser.add_argument("--minutes", type=positive(float), metavar="M", help="end after M minutes")

    def handle(
        self, articles: int | None, rate: float, seed: int | None, minutes: float | None, **options: object
    ) -> None:
        newsroom = Newsroom(Random(seed), articles)  # noqa: S311 - chance that protects nothing
        started = shown = time.monotonic()
        end = started + minutes * 60 if minutes else float("inf")
        saves = 0
        with stopped_by_signals() as stop:
            pace = Pace(rate, stop)
            while not newsroom.is_finished and time.monotonic() < end and pace.wait():
                did = newsroom.step()
                saves += 1
                if time.monotonic() - shown >= _PROGRESS_SECONDS or saves == 1:
                    shown = time.monotonic()
                    self._show(saves, shown - started, did)
        self._show(saves, time.monotonic() - started, "the newsroom has closed")

    def _show(self, saves: int, seconds: float, did: str) -> None:
        self.stdout.write(f"{saves:,} saves in {seconds:,.0f} s: {did}")
        self.stdout.flush()
