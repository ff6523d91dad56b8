"""What is known of a stage without importing it: a row of the table in consumers.stages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

from consumers import conf

if TYPE_CHECKING:
    from audittrail.integrity.store_comparison import FurtherStore
    from consumers.runtime.stage import Stage

MOST_PROCESSES = 16
"""A stage runs in at most so many processes, so the metrics ports of two stages are so far apart."""

LOOP_RUNNER = "consumers.runtime.process.run_stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """A stage's name, what it reads, where it runs and how it is shown.

    Dotted paths are imported only in the process that runs the stage, and in the supervisor, which forks it: each
    brings the client of its store along.
    """

    name: str
    """How people call it: relay, enricher, database, search, archive."""

    route: str
    """From where to where events go, as the page of consumers shows it: `…enriched → Elasticsearch`."""

    stage: str = ""
    """Dotted path of its Stage class; empty where its runner needs none."""

    runner: str = LOOP_RUNNER
    """Dotted path of what runs one process of it: a function of this spec and a slot, counted from 1."""

    reads: tuple[Callable[[], str], ...] = ()
    """Accessors of the topics it reads, as in consumers.conf: names depend on the environment."""

    group_name: str = ""
    """Ending of its consumer group, see conf.group; empty: it has no group."""

    member_name: str = ""
    """Stem of the static members' names: processor-node, database-node."""

    metrics_offset: int | None = None
    """Its slot 1 offers metrics on a port so far above AUDIT_METRICS_PORT; None: it offers none."""

    aliases: tuple[str, ...] = ()
    """Other names that run_consumer takes for it."""

    help: str = ""
    """Its line in the help of run_consumer, where that says more than the route."""

    without_group: str = ""
    """What the page of consumers shows in place of a group."""

    backlog: Callable[[str, int | None], int] | None = None
    """For a stage that reads the outbox: (database alias, last row or None for all) → pending rows."""

    progress: Callable[[str], int] | None = None
    """For a stage that reads the outbox: database alias → a number that grows with each batch that it publishes."""

    missing: Callable[[Mapping[str, int]], Mapping[str, int]] | None = None
    """What wait_until_caught_up asks of a store: (article → last sequence) → (article → events up to it that the store
    lacks), without the articles that lack none. Raises NotReady while the store is away.

    None: a sink has caught up once its group has passed the enriched topic.
    """

    verified: "FurtherStore | None" = None
    """How verify_trail reads a store that is not one of its own three; None: it does not."""

    @property
    def group(self) -> str:
        """The consumer group, for example `audit-trail-processor`; empty where it has none."""
        return conf.group(self.group_name) if self.group_name else ""

    def topics(self) -> list[str]:
        """The topics it reads."""
        return [topic() for topic in self.reads]

    def import_modules(self) -> None:
        """Import what a process of it needs."""
        for path in filter(None, (self.runner, self.stage)):
            import_string(path)

    def make_stage(self) -> "Stage":
        """A new instance of its Stage class."""
        stage: Stage = import_string(self.stage)()
        return stage

    def run(self, slot: int) -> None:
        """Run one process of it until it is stopped; slots count from 1. Raises Fenced."""
        import_string(self.runner)(self, slot)

    def metrics_port(self, slot: int) -> int | None:
        """Where the process in a slot offers metrics; None: nowhere."""
        first = conf.metrics_port()
        return first + self.metrics_offset + slot - 1 if first and self.metrics_offset is not None else None
