"""`flush` of a test database, after each TransactionTestCase: there alone tracked tables may be truncated."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core import mail
from django.core.management.base import CommandError
from django.core.management.commands import flush
from django.core.management.sql import emit_post_migrate_signal
from django.db import connections, transaction


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        """Raises CommandError outside of a run of tests."""
        # Django's test environment has an outbox of mails, and nothing else has.
        if not hasattr(mail, "outbox"):
            raise CommandError(
                "audittrail.testing is installed and no tests run: flush would empty the trail. "
                "Take audittrail.testing out of INSTALLED_APPS, but for tests."
            )
        alias = options["database"]
        with _truncate_allowed(alias):
            super().handle(**{**options, "inhibit_post_migrate": True})
        if not options.get("inhibit_post_migrate"):
            emit_post_migrate_signal(options["verbosity"], options["interactive"], alias)


_REFUSALS = """
SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),
       format('ALTER TABLE %s ENABLE TRIGGER %I', tgrelid::regclass, tgname)
FROM pg_trigger WHERE tgfoid = to_regproc('audit_refuse_truncate')"""


@contextmanager
def _truncate_allowed(alias: str) -> Iterator[None]:
    """One transaction in which no tracked table refuses TRUNCATE."""
    if connections[alias].vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(_REFUSALS)
        refusals: list[tuple[str, str]] = cursor.fetchall()
        for disable, _ in refusals:
            cursor.execute(disable)
        yield
        for _, enable in refusals:
            cursor.execute(enable)
