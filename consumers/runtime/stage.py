"""What a stage is to the runtime: a small class that turns a batch into an outcome.

The runtime owns polling, batching, transactions, offsets, rebalances, pausing, retries, dead letters, metrics and
shutdown. A stage never touches a consumer or a producer.
"""

import math
from collections.abc import Iterable

from consumers import conf
from consumers.records import Outcome, Partition, Record
from consumers.runtime.stage_spec import StageSpec


class Stage:
    """Base of all stages that the loop runs; `spec` is a class attribute.

    A process makes one instance and uses it from one thread.
    """

    spec: StageSpec
    """Its row in consumers.stages."""

    def __init__(self) -> None:
        self.max_records: int = conf.batch_records()
        self.max_seconds: float = conf.batch_seconds()
        self.idle_seconds: float = math.inf

    @property
    def name(self) -> str:
        """How people call it: enricher, database, search, archive."""
        return self.spec.name

    @property
    def group(self) -> str:
        """The consumer group, for example `audit-trail-processor`."""
        return self.spec.group

    @property
    def member(self) -> str:
        """Stem of the static members' names; the runtime adds the slot."""
        return self.spec.member_name

    def topics(self) -> list[str]:
        """Topics to read."""
        return self.spec.topics()

    def open(self) -> None:
        """Get ready to process. Raises NotReady, and is then called again."""

    def close(self) -> None:
        """Let go of connections; called once, at the end."""

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        """Where to start reading partitions just assigned; those left out start at the group's committed offset.

        Called on each assignment: the place to take leases. Raises NotReady, and is then called again.
        """
        return {}

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """These partitions are no longer this process's: forget what is held for them."""

    def process(self, records: list[Record]) -> Outcome:
        """Turn records, in offset order within each partition, into an outcome; a sink's records are durable when it
        returns.

        It may see the same records again (after NotReady, a crash or a rebalance). Raises NotReady, Fenced.
        """
        raise NotImplementedError
