"""Re-creates what a store of the trail has lost from the other stores."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

import psycopg
from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from audittrail import conf
from audittrail.archive.manifests import DamagedManifest
from audittrail.archive.object_storage import ObjectStoreUnavailable
from audittrail.archive.writer import DamagedArchive
from audittrail.integrity.report import STORES, VerificationReport
from audittrail.integrity.restore import ACTIONS, Step, plan
from audittrail.integrity.verify import verify
from audittrail.search.index import SearchUnavailable
from consumers.management.console import WIDTH, console
from consumers.operations import outbox_retention
from consumers.operations.restoring import carry_out

AT_ONCE = 10_000
_ROUNDS = 3
_SHOWN = 50
_TROUBLE = (SearchUnavailable, ObjectStoreUnavailable, DamagedArchive, DamagedManifest, psycopg.Error, DatabaseError)

DESCRIPTION = """\
Verifies the trail, then re-creates what a store has lost or holds altered, from copies that are proven to be what was
captured.

Rows are added by the pipeline's role and never changed; an altered row is replaced with --replace-altered only, by
the owner's role, and kept as a fork. Lost archive events go to new objects; changed objects are copied to evidence/
before they are rebuilt. docs/archive.md says more."""

EPILOG = """\
exit status: 0 when the trail is complete afterwards; 1 with a list of what is left.

examples:
  manage.py restore_trail --dry-run
  manage.py restore_trail --store index
  manage.py restore_trail --article newsroom.article:42 --replace-altered"""


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG
        parser.add_argument("--store", choices=STORES, help="only what this store lacks")
        parser.add_argument(
            "--article",
            metavar="ID",
            help="only this article's events, e.g. newsroom.article:42; no objects of the archive",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show the plan")
        parser.add_argument(
            "--replace-altered", action="store_true", help="replace altered rows of the database, in the owner's role"
        )
        parser.add_argument(
            "--grace",
            type=float,
            default=60,
            metavar="SECONDS",
            help="what was published within this time may still be on its way (default: 60)",
        )

    def handle(
        self,
        *,
        store: str | None,
        article: str | None,
        dry_run: bool,
        replace_altered: bool,
        grace: float,
        **options: object,
    ) -> None:
        self._store, self._article, self._replace_altered = store, article, replace_altered
        self._console = console(self.stdout, width=WIDTH)
        try:
            _take_turn()
            report = self._restore(timedelta(seconds=grace), dry_run)
        except _TROUBLE as error:
            raise CommandError(
                f"{error}\nWhat was restored until now stays; run this again once that is mended."
            ) from error
        self._conclude(report)

    def _restore(self, grace: timedelta, dry_run: bool) -> VerificationReport:
        """In rounds, as a rebuilt object shows what else is lacking; the last verification."""
        began = timezone.now()
        self._archive_is_behind = self._store != "index" and _archive_is_behind()
        before: set[tuple[str, str, str, int]] = set()
        for _ in range(_ROUNDS):
            report = verify(self._article, grace=grace + (timezone.now() - began))
            recent = began - grace
            doable = {
                step.identity
                for step in self._shown(plan(report, recent, self._article))
                if self._why_not(step) is None
            }
            if dry_run or doable <= before:
                return report
            self._carry_out(report, recent, len(doable))
            before |= doable
        return verify(self._article, grace=grace + (timezone.now() - began))

    def _shown(self, steps: Iterator[Step]) -> list[Step]:
        """The steps, without what they carry; prints them."""
        bare = [step.without_contents() for step in steps]
        table = Table(
            "Store", "Article or object", "Sequence", "Source", "What will be done", title=f"{len(bare):,} steps"
        )
        for step in bare[:_SHOWN]:
            table.add_row(
                step.store,
                step.target,
                str(step.sequence or ""),
                step.source,
                self._why_not(step) or ACTIONS[step.action],
            )
        if bare:
            self._console.print(table)
        if len(bare) > _SHOWN:
            counts = ", ".join(
                f"{number:,} × {action}" for action, number in Counter(step.action for step in bare).items()
            )
            self._console.print(f"… in all: {counts}.")
        return bare

    def _why_not(self, step: Step) -> str | None:
        if self._store not in (None, step.store):
            return f"nothing: only the {self._store} was asked for"
        if step.action == "replace" and not self._replace_altered:
            return "nothing: only the owner's role can replace a row; ask for it with --replace-altered"
        if step.action in ("create", "publish") and self._archive_is_behind:
            return (
                "nothing yet: the archive stage may still bring it; "
                "run this again once Kafka answers and the stage has caught up"
            )
        return None

    def _carry_out(self, report: VerificationReport, recent: datetime, total: int) -> None:
        steps = (step for step in plan(report, recent, self._article) if self._why_not(step) is None)
        done = 0
        with Progress(console=Console(stderr=True), disable=not self.stderr.isatty()) as progress:
            task = progress.add_task("restoring", total=total)
            while some := list(islice(steps, AT_ONCE)):
                count, problems = carry_out(some, recent, lambda number: progress.advance(task, number))
                done += count
                for problem in problems:
                    self.stderr.write(problem)
        self.stdout.write(f"{done:,} of {total:,} steps done.")

    def _conclude(self, report: VerificationReport) -> None:
        if report.complete:
            self.stdout.write("The trail is complete: nothing is lost, repeated, forked or altered.")
            return
        table = Table(
            "Store",
            "Kind",
            "Article or object",
            "Sequence",
            "What is left to do",
            title=f"{len(report.findings):,} findings are left",
        )
        for finding in report.findings[:_SHOWN]:
            table.add_row(
                finding.store,
                finding.kind,
                finding.article_id,
                str(finding.sequence or ""),
                _remedy(finding.store, finding.kind),
            )
        self._console.print(table)
        raise SystemExit(1)


def _archive_is_behind() -> bool:
    """Whether what the archive lacks may still come to it by itself."""
    try:
        return not outbox_retention.is_archived()
    except KafkaException:
        return True


_REMEDIES = {
    "fork": "nothing: evidence, which stays",
    "head_altered": "look at who had the owner's role; set the head right by hand",
    "live_differs": "save the article: the difference becomes an event by an unknown actor",
    "unavailable": "start that service, then run this again",
    "object_missing": "put the object back from a backup of the bucket",
    "object_changed": "put the object back from a backup of the bucket",
    "doubled": "look at the objects that hold it; remove the one too many by hand",
}


def _remedy(store: str, kind: str) -> str:
    if store == "index":
        return (
            "rebuild_search_index --drop-others makes the index anew"
            if kind == "added"
            else "run this again without --store"
        )
    if store == "database" and kind in ("altered", "forged", "reordered"):
        return "--replace-altered, if another store has it as captured"
    return _REMEDIES.get(kind, "no copy is proven to be what was captured: restore a backup, or look at it by hand")


def _take_turn() -> None:
    """One restoration at a time, until this process ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [f"restore {conf.archive_bucket()}"])
        if not cursor.fetchone()[0]:
            raise CommandError("Another restoration is under way.")
