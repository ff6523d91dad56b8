"""What capture adds to a save and to a bulk update, beside what its peers add, in one run.

Run against the local stack: `make bench BENCH=bench_capture`, or `python -m benchmarks.bench_capture`.  All contestants
save the same article in tables of their own, in turns, so that noise hits all alike; what a contestant adds is the
difference to a plain model.  The last columns are what PostgreSQL's process and this one computed, which other programs
on the machine disturb less than the clock.
"""

import argparse
import logging
import os
import statistics
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.settings"
django.setup()

from django.core.management import CommandError, call_command
from django.db import connection, connections, models, transaction

from audittrail import Actor, context
from benchmarks.peers import models as peers
from benchmarks.peers.settings import DATABASE
from testkit.maintenance import new_database

BODY = "<p>" + "Inspectors found cracks in two supports of the harbour bridge. " * 110 + "</p>"
ROWS = 1_000
NAMES = {
    "Plain": "no trail",
    "Trail": "this trail",
    "Logged": "auditlog",
    "Simple": "simple-history",
    "Pg": "pghistory",
}
WITH_WAGTAIL = NAMES | {"Wagtail": "Wagtail revision"}
GOALS = {"body": 0.8, "all": 1.2, "rows": 60.0, "untracked": 0.05}


@dataclass(frozen=True)
class Spent:
    """Milliseconds: by the clock, in PostgreSQL's process, in this one."""

    clock: float
    database: float
    python: float


class Contestant:
    """One article with tags and credits, and a thousand more."""

    def __init__(self, name: str, tags: list[peers.Tag], authors: list[peers.Author]):
        self.name, self._tags, self._authors = name, tags, authors
        self.model: Any = getattr(peers, f"{name}Article")
        self._credit: Any = getattr(peers, f"{name}Credit")
        self.article = self.model.objects.create(headline="Harbour bridge closed", body=BODY)
        self.model.objects.bulk_create(self.model(headline=f"H{n}", body=BODY) for n in range(ROWS))

    def body(self, number: int) -> None:
        """A word of the body."""
        self.article.body = BODY.replace("cracks", f"cracks {number}", 1)
        self._save()

    def all(self, number: int) -> None:
        """Headline, body, tags and two credits."""
        self.article.headline = f"Harbour bridge closed {number}"
        self.body(number)
        tags = [self._tags[number % 5], self._tags[(number + 1) % 5]]
        self.article.tags.set(tags)
        for credit in self.article.credits.all():
            credit.delete()
        for at in range(2):
            self._credit.objects.create(article=self.article, author=self._authors[(number + at) % 5], position=at)

    def untracked(self, number: int) -> None:
        """A column that none tracks."""
        self.model.objects.filter(pk=self.article.pk).update(views=number)

    def rows(self, number: int) -> None:
        """A thousand rows by update()."""
        rows = self.model.objects.exclude(pk=self.article.pk)
        if self.name == "Simple":
            self._bulk_with_history(list(rows), f"Bulk {number}")
        else:
            rows.update(headline=f"Bulk {number}")

    def _save(self) -> None:
        self.article.save()
        if self.name == "Wagtail":
            self.article.save_revision()

    def _bulk_with_history(self, found: list[models.Model], headline: str) -> None:
        """update() makes no history there; this is what its documentation offers."""
        from simple_history.utils import bulk_update_with_history

        for each in found:
            each.headline = headline  # type: ignore[attr-defined]
        bulk_update_with_history(found, self.model, ["headline"], batch_size=ROWS)


def measured(contestant: Contestant, case: "Case", number: int) -> Spent:
    process = _backend()
    in_database, in_python, started = _computed(process), time.process_time(), time.perf_counter()
    somebody = contestant.name == "Trail" and case.somebody_acts
    with context(actor=Actor("service", "benchmark")) if somebody else transaction.atomic():
        getattr(contestant, case.name)(number)
    clock, python = time.perf_counter() - started, time.process_time() - in_python
    return Spent(clock * 1e3, _computed(process) - in_database, python * 1e3)


def _backend() -> int:
    connection.ensure_connection()
    pid: int = connection.connection.info.backend_pid
    return pid


def _computed(process: int) -> float:
    """Milliseconds that a process of this machine has computed."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


def compare(case: "Case", contestants: list[Contestant], rounds: int) -> dict[str, Spent]:
    """The median of each contestant, measured in turns."""
    spent: dict[str, list[Spent]] = defaultdict(list)
    for number in range(rounds + 3):
        for contestant in contestants:
            found = measured(contestant, case, number)
            if number >= 3:
                spent[contestant.name].append(found)
    return {name: _median(found) for name, found in spent.items()}


def _median(found: list[Spent]) -> Spent:
    parts = ("clock", "database", "python")
    return Spent(*(statistics.median(getattr(each, part) for each in found) for part in parts))


def report(case: "Case", found: dict[str, Spent]) -> None:
    plain, trail = found["Plain"], found["Trail"].clock - found["Plain"].clock
    print(f"\n{case.title}; goal: {GOALS[case.name]} ms added")
    print(f"  {'':18}{'ms':>8}{'added':>9}{'trail is':>10}{'PostgreSQL':>13}{'Python':>9}")
    for name, spent in found.items():
        added = spent.clock - plain.clock
        ratio = f"{trail / added:8.2f} ×" if name not in ("Plain", "Trail") and added > 0 else ""
        print(
            f"  {WITH_WAGTAIL[name]:18}{spent.clock:8.2f}{added:+9.2f}{ratio:>10}"
            f"{spent.database - plain.database:+13.2f}{spent.python - plain.python:+9.2f}"
        )


@dataclass(frozen=True)
class Case:
    title: str
    name: str
    rounds: int
    names: tuple[str, ...]
    analysed: bool = False
    somebody_acts: bool = True


_BULK = ("Plain", "Trail", "Simple", "Pg")
CASES = (
    Case("A word of a 7 kB body", "body", 200, tuple(WITH_WAGTAIL)),
    Case("Headline, body, tags, two credits", "all", 100, tuple(WITH_WAGTAIL)),
    Case("An untracked column, by update()", "untracked", 400, tuple(NAMES)),
    Case("The same, nobody acting", "untracked", 400, ("Plain", "Trail"), somebody_acts=False),
    Case("1,000 rows by update(), a database never analysed", "rows", 7, _BULK),
    Case("1,000 rows by update(), analysed", "rows", 7, _BULK, analysed=True),
)


def make_tables() -> None:
    """Those of the site, then those of the contestants."""
    with suppress(CommandError):  # the article is tracked, and made by the second run only
        call_command("migrate", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("pgtrigger", "install", database="owner", verbosity=0)


def compare_all(factor: float) -> None:
    tags = [peers.Tag._default_manager.create(name=f"tag {n}") for n in range(5)]
    authors = [peers.Author._default_manager.create(name=f"author {n}") for n in range(5)]
    contestants = {name: Contestant(name, tags, authors) for name in WITH_WAGTAIL}
    for case in CASES:
        if case.analysed:
            with connections["owner"].cursor() as cursor:
                cursor.execute("ANALYZE")
        some = [contestants[name] for name in case.names]
        report(case, compare(case, some, max(3, int(case.rounds * factor))))


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=float, default=1.0, metavar="FACTOR", help="times as many rounds")
    factor = parser.parse_args().rounds
    with new_database(DATABASE):
        make_tables()
        compare_all(factor)


if __name__ == "__main__":
    main()
