"""Seals the days of the archive that every partition has passed: one sorted object for each partition, and a
manifest.
"""

from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audittrail import conf
from audittrail.archive import objects, seal
from audittrail.archive.manifests import DamagedManifest
from audittrail.archive.object_storage import ObjectStoreUnavailable
from audittrail.archive.writer import DamagedArchive
from consumers.operations import sealing

_TROUBLE = (ObjectStoreUnavailable, DamagedArchive, DamagedManifest, sealing.NotKnown, KafkaException)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--delete-tails",
            action="store_true",
            help="instead, delete tail objects of days sealed long ago (AUDIT_TAIL_DAYS)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")

    def handle(self, *, delete_tails: bool, dry_run: bool, **options: object) -> None:
        try:
            if delete_tails:
                self._delete_tails(dry_run)
            else:
                self._seal(dry_run)
        except _TROUBLE as error:
            raise CommandError(str(error)) from error

    def _seal(self, dry_run: bool) -> None:
        days = seal.open_days()
        ready = sealing.passed(days, datetime.now(UTC))
        for day in ready:
            if dry_run:
                self.stdout.write(f"{day}: {len(seal.tails(day))} tail objects would be sealed")
                continue
            manifest = seal.seal(day)
            self.stdout.write(f"{day}: sealed, {manifest.events:,} events in {len(manifest.objects)} objects")
        for day in sorted(set(days) - set(ready)):
            self.stdout.write(f"{day}: not over, or not archived in every partition")

    def _delete_tails(self, dry_run: bool) -> None:
        names = seal.superfluous_tails((datetime.now(UTC) - timedelta(days=conf.tail_days())).date())
        for name in names if not dry_run else ():
            objects.delete(name)
        self.stdout.write(f"{len(names):,} tail objects of sealed days {'would be' if dry_run else 'were'} deleted")
