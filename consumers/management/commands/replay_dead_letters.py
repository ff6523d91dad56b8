"""manage.py replay_dead_letters"""

from collections import Counter

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from rich.table import Table

from consumers.dead_letters.replay import replay
from consumers.errors import NotReady
from consumers.management.console import WIDTH, console
from consumers.models import DeadLetter, DeadLetterQuerySet


class Command(BaseCommand):
    help = (
        "Puts what the enricher rejected back on the topic and partition it came from, so that it is tried again, and "
        "marks it as replayed. What a sink rejected is not put back: the other sinks have it; rebuild that sink. Mend "
        "the cause first: what fails again becomes a new dead letter. Nothing is doubled at rest if it is interrupted "
        "and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stage", help="only those of this stage")
        parser.add_argument("--reason", help="only those with this reason, for example unknown_schema_id")
        parser.add_argument(
            "--article", metavar="ID", help="only those of this article, for example newsroom.article:42"
        )
        parser.add_argument("--limit", type=int, metavar="N", help="at most this many")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be replayed")

    def handle(
        self,
        *,
        stage: str | None,
        reason: str | None,
        article: str | None,
        limit: int | None,
        dry_run: bool,
        **options: object,
    ) -> None:
        if limit is not None and limit < 1:
            raise CommandError(f"--limit {limit}: give a number of at least 1.")
        try:
            letters = _chosen(stage=stage, reason=reason, article_id=article)[:limit]
            self._summarise(letters)
            if not dry_run:
                self._replay(letters)
        except (NotReady, DatabaseError) as error:
            raise CommandError(f"{error}. What was replayed before is marked; run this again.") from error

    def _summarise(self, letters: DeadLetterQuerySet) -> None:
        counts = Counter(letters.values_list("stage", "reason", "origin_topic"))
        if not counts:
            self.stdout.write("No dead letters wait to be replayed.")
            return
        table = Table("stage", "reason", "origin", "dead letters")
        for (stage, reason, topic), count in sorted(counts.items()):
            table.add_row(stage, reason, topic, str(count))
        console(self.stdout, width=WIDTH).print(table)

    def _replay(self, letters: DeadLetterQuerySet) -> None:
        result = replay(letters.values_list("pk", flat=True))
        self.stdout.write(self.style.SUCCESS(f"{len(result.done)} replayed."))
        for identity, why in result.skipped.items():
            self.stderr.write(f"{identity} was not: {why}")


def _chosen(**wanted: str | None) -> DeadLetterQuerySet:
    letters = DeadLetter.objects.using("pipeline").filter(**{name: value for name, value in wanted.items() if value})
    return letters.replayable()
