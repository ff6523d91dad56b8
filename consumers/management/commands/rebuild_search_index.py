"""Makes a new search index from the database or the archive and puts it in place of the one in use, without a gap for
readers.
"""

from collections.abc import Iterable, Iterator

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.progress import Progress

from audittrail import conf
from audittrail.archive import reader
from audittrail.archive.manifests import DamagedManifest
from audittrail.archive.object_storage import ObjectStoreUnavailable
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
from audittrail.models import AuditEvent
from audittrail.search import index, reindex
from audittrail.search.index import SearchUnavailable
from consumers.errors import NotReady
from consumers.messages import large_payloads

_TROUBLE = (SearchUnavailable, ObjectStoreUnavailable, DamagedManifest, NotReady, reindex.NotTheSame)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="source",
            choices=("database", "archive"),
            default="database",
            help="where the events come from",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only count the events of the source and the documents of the index"
        )
        parser.add_argument(
            "--drop-others", action="store_true", help="also if documents are then lost that the source does not have"
        )

    def handle(self, *, source: str, dry_run: bool, drop_others: bool, **options: object) -> None:
        try:
            if dry_run:
                self._compare(source)
            else:
                self._rebuild(source, drop_others)
        except _TROUBLE as error:
            raise CommandError(f"The search index is as it was. {error}") from error

    def _compare(self, source: str) -> None:
        events = (
            AuditEvent.objects.count()
            if source == "database"
            else sum(len(table) for table in reader.tables(columns=["sequence"]))
        )
        documents = index.count()
        self.stdout.write(
            f"{events:,} events in the {source}, {documents:,} documents in {index.current()}. Nothing was changed."
        )

    def _rebuild(self, source: str, drop_others: bool) -> None:
        _take_turn()
        events = database_rows.events() if source == "database" else reader.events()
        total = AuditEvent.objects.count() if source == "database" else None
        with Progress(transient=True) as progress:
            task = progress.add_task(f"events of the {source}", total=total)
            summary = reindex.rebuild(self._whole(events), drop_others, lambda count: progress.advance(task, count))
        self.stdout.write(
            f"{summary.new} holds {summary.filled:,} events of the {source} and {summary.carried:,} carried over "
            f"from {summary.old}."
        )
        for line in summary.refused:
            self.stderr.write(f"refused: {line}")
        if summary.others:
            self.stdout.write(f"{len(summary.others):,} documents that the {source} does not have were dropped.")

    def _whole(self, events: Iterable[EnrichedEvent]) -> Iterator[EnrichedEvent]:
        """The events with what they left in object storage; those for which it is not there are said and left out."""
        for event in events:
            try:
                yield large_payloads.resolve(event)
            except large_payloads.UnusablePayload as error:
                self.stderr.write(f"left out: {event['article_id']} #{event['sequence']}: {error.detail}")


def _take_turn() -> None:
    """One rebuild at a time, until this process ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [f"rebuild {conf.search_index()}"])
        if not cursor.fetchone()[0]:
            raise CommandError("Another rebuild is under way.")
