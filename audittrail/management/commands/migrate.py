"""`migrate` as the owner of the tables, with capture on throughout.

The site's own role may neither create tables nor touch the trail. What migrations change is recorded as by them.
"""

from collections.abc import Iterable
from typing import Any

from django.core.checks.registry import registry
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from audittrail.capture.checks import capture_is_on
from audittrail.capture.following import Follower, as_default, followed
from audittrail.capture.inspection import has_trail
from audittrail.capture.renames import earlier_names, model_renames, without_kind
from audittrail.capture.schema import EarlierNames

TRAIL = "audittrail"


class Command(migrate.Command):
    _follower: Follower | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def check(self, *args: Any, **kwargs: Any) -> None:
        """Without the check of capture, which this run mends: it is held against the catalogue at the end."""
        registered = set(registry.registered_checks)
        registry.registered_checks.discard(capture_is_on)
        try:
            super().check(*args, **kwargs)
        finally:
            registry.registered_checks |= registered

    def handle(self, *args: Any, **options: Any) -> None:
        with as_default(connections[options["database"]]):
            self._migrate(*args, **options)

    def _migrate(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        executor = MigrationExecutor(connection)
        if options["plan"] or options["check_unapplied"] or not has_trail(connection):
            super().handle(*args, **options)
            return
        if not options["app_label"] and _pending(executor, TRAIL):
            # The trail's own come first: what capture does to all others takes the tables as they are after it.
            super().handle(*args, **options | {"app_label": TRAIL, "migration_name": None})
        _require_kinds(executor)
        with followed(connection, _names(executor), self._say) as self._follower:
            super().handle(*args, **options)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if self._follower is None or migration is None or migration.app_label == TRAIL:
            return
        if action.endswith("_start"):
            self._follower.begin(str(migration))
        else:
            self._follower.end()

    def _say(self, message: str) -> None:
        if self.verbosity >= 1:
            self.stdout.write(f"\n{message}", ending="")


def _pending(executor: MigrationExecutor, label: str = "") -> list[Migration]:
    """The migrations that are to come, of an app or of all."""
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] == (label or key[0])]
    return [migration for migration, _ in executor.migration_plan(targets)]


def _names(executor: MigrationExecutor) -> EarlierNames:
    """From all migrations there are: a database may stand anywhere among them, and go back."""
    history = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    return earlier_names(ProjectState(real_apps=executor.loader.unmigrated_apps), [each for each, _ in history])


def _require_kinds(executor: MigrationExecutor) -> None:
    """Raise CommandError where the articles of a renamed model would begin anew."""
    renames = model_renames(_pending(executor))
    split = without_kind(renames, _captured_kinds(executor)) if renames else []
    if split:
        raise CommandError("\n".join(_remedies(split)))


def _captured_kinds(executor: MigrationExecutor) -> list[str]:
    with executor.connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT kind FROM audittrail_head")
        return [kind for (kind,) in cursor.fetchall()]


def _remedies(renames: Iterable[Any]) -> Iterable[str]:
    for each in renames:
        yield (
            f"{each.migration} renames {each.old} to {each.new}, whose articles would begin a history of their own. "
            f"Write kind={each.old!r} in its track(…), which keeps them what they are; nothing was migrated."
        )
