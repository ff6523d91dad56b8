"""capture_baseline: gives articles that were there before the trail their first event."""

from django.core.management.base import BaseCommand, CommandParser
from django.db import connections, transaction
from rich.console import Console
from rich.progress import track

from audittrail.capture.acting import Actor, Context, Origin
from audittrail.capture.expressions import quoted
from audittrail.tracking import Tracked, all_tracked, column_name, primary_key_of

_BATCH = 500


class Command(BaseCommand):
    help = (
        "Give every tracked article that the trail does not know yet its event 1: the whole article, as it is now. "
        "Run it once after plugging a model in; run again, it does nothing to articles that are known. "
        "Works in batches; it can be stopped and goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many articles are not known yet")

    def handle(self, *, dry_run: bool, **options: object) -> None:
        for tracked in all_tracked():
            pks = _unknown(tracked)
            if dry_run:
                self.stdout.write(f"{tracked.kind}: {len(pks):,} articles are not known to the trail yet.")
                continue
            batches = range(0, len(pks), _BATCH)
            for at in track(batches, tracked.kind, console=Console(stderr=True), disable=not self.stderr.isatty()):
                _capture(tracked.kind, pks[at : at + _BATCH])
            self.stdout.write(f"{tracked.kind}: {len(pks):,} articles captured.")


def _unknown(tracked: Tracked) -> list[str]:
    key, table = quoted(column_name(primary_key_of(tracked.model))), quoted(tracked.model._meta.db_table)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"SELECT a.{key}::text FROM {table} a WHERE NOT EXISTS "
            f"(SELECT 1 FROM audittrail_head h WHERE h.article_id = %s || a.{key} AND h.alive) ORDER BY 1",
            [f"{tracked.kind}:"],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _capture(kind: str, pks: list[str]) -> None:
    context = Context(Actor("system", "capture_baseline"), Origin(channel="baseline"))
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT audit_enter(%s)", [context.setting])
        cursor.execute("SELECT audit_baseline(%s, %s)", [kind, pks])
