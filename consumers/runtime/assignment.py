"""A member's partitions through rebalances: cooperative, so that only what moves is touched.

And the topics they are of. A client goes on reading a topic that was deleted and created again, from where it was in
the one before, and may never notice: what it then skips would be lost. So Kafka's ids of the topics are compared before
a batch is processed.
"""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable
from itertools import groupby

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.errors import Fenced, NotReady
from consumers.kafka.protocols import GroupConsumer
from consumers.records import Partition
from consumers.runtime import metrics
from consumers.runtime.stage import Stage

log = logging.getLogger("consumers.runtime.assignment")

CHECKS_BEFORE_REJOINING = 2

Drop = Callable[[list[Partition]], None]
"""Forgets what was read of partitions that are no longer held, or are read again."""
TopicIds = Callable[[list[str]], dict[str, str]]
"""Names of topics → Kafka's ids of them. Raises KafkaException."""


class Assignment:
    """Follows rebalances, and pauses or resumes fetching from all partitions.

    A partition whose position the stage does not know yet is in `unplaced`, paused, until `start_unplaced` succeeds.
    What is `held` is paused until it is let go.
    """

    def __init__(self, consumer: GroupConsumer, stage: Stage, drop: Drop, topic_ids: TopicIds):
        self._consumer, self._stage, self._drop, self._ask_topic_ids = consumer, stage, drop, topic_ids
        self.owned: set[Partition] = set()
        self.unplaced: set[Partition] = set()
        self.held: set[Partition] = set()
        self._is_fetching = True
        self._topic_ids: dict[str, str] = {}
        self._checks_with_nothing = 0
        self._has_rejoined = False

    def check_topics(self) -> None:
        """Raises Fenced when a topic is not the one it was at the first call, NotReady while there is none or Kafka
        does not answer.
        """
        try:
            found = self._ask_topic_ids(self._stage.topics())
        except KafkaException as error:
            raise NotReady(_why_unknown(self._stage.topics(), error.args[0])) from error
        self._topic_ids = self._topic_ids or found
        if replaced := [name for name, topic_id in found.items() if topic_id != self._topic_ids[name]]:
            raise Fenced(f"topic {replaced[0]} was made anew: only new clients read it from its first message")

    def join(self) -> None:
        self._consumer.subscribe(
            self._stage.topics(), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def rejoin_if_given_nothing(self) -> None:
        """Leave the group and join it again, once, if there was nothing for this member at more than
        CHECKS_BEFORE_REJOINING checks in a row.

        A static member that starts again is given what its predecessor had, without a rebalance. That may be nothing,
        from a moment when its topics were missing, and would stay so. A member that is one too many moves nothing.
        """
        self._checks_with_nothing = 0 if self.owned else self._checks_with_nothing + 1
        if self._checks_with_nothing > CHECKS_BEFORE_REJOINING and not self._has_rejoined:
            log.info("%s: holds nothing, joins its group again", self._stage.name)
            self._has_rejoined = True
            self._consumer.unsubscribe()
            self.join()

    def pause_fetching(self) -> None:
        """Fetch nothing, and stay a member."""
        if self._is_fetching:
            self._is_fetching = False
            self._consumer.pause(_without_offsets(self.owned))

    def resume_fetching(self) -> None:
        """Fetch again, but for partitions that are unplaced or held."""
        if not self._is_fetching:
            self._is_fetching = True
            self._consumer.resume(_without_offsets(self.owned - self.unplaced - self.held))

    def hold(self, partitions: Collection[Partition]) -> None:
        """Fetch nothing from these; the others go on."""
        self.held.update(partitions)
        self._pause_or_resume(sorted(partitions))

    def let_go(self, partition: Partition, offset: int) -> None:
        """Read a partition that was held from this offset on."""
        self.held.discard(partition)
        self.rewind({partition: offset})
        self._pause_or_resume([partition])

    def topic_id(self, topic: str) -> str:
        """Kafka's id of a topic that is read."""
        return self._topic_ids[topic]

    def start_unplaced(self) -> None:
        """Start the partitions whose positions were not known. Raises NotReady."""
        waiting = sorted(self.unplaced)
        positions = self._positions(waiting)
        self._drop(waiting)
        self._consumer.incremental_unassign(_without_offsets(waiting))
        self._consumer.incremental_assign(_with_offsets(waiting, positions))
        self.unplaced.clear()
        self._pause_or_resume(waiting)
        self._commit_positions(positions)

    def rewind(self, starts: dict[Partition, int]) -> None:
        """Read again from these offsets what is still owned."""
        for partition, offset in starts.items():
            if partition in self.owned:
                try:
                    self._consumer.seek(TopicPartition(*partition, offset))
                except KafkaException as error:  # taken away at this moment: the next poll says so
                    log.info("%s: not rewound: %s", partition, error)

    def _assigned(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        partitions = self._record_move("assigned", assigned)
        self.owned.update(partitions)
        try:
            positions = self._positions(partitions)
        except NotReady as error:
            log.warning("%s: positions not known yet: %s", self._stage.name, error)
            positions = {}
            self.unplaced.update(partitions)
        self._consumer.incremental_assign(_with_offsets(partitions, positions))
        self._pause_or_resume(partitions)
        self._commit_positions(positions)

    def _pause_or_resume(self, partitions: list[Partition]) -> None:
        """Pause or resume partitions just assigned. librdkafka remembers a pause beyond the loss of a partition: what
        comes back must be resumed, or nothing is ever fetched from it.
        """
        waiting = self.unplaced | self.held
        paused = [partition for partition in partitions if not self._is_fetching or partition in waiting]
        self._consumer.pause(_without_offsets(paused))
        self._consumer.resume(_without_offsets(partition for partition in partitions if partition not in paused))

    def _commit_positions(self, positions: dict[Partition, int]) -> None:
        """Commit where a stage knows that it is, if its last commit was lost: its lag is counted from there."""
        if positions:
            with contextlib.suppress(KafkaException):
                self._consumer.commit(offsets=_with_offsets(positions, positions), asynchronous=True)

    def _positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        if not partitions:
            return {}
        # Where a stage was in a topic that is gone must not be taken for a position in the new one.
        self.check_topics()
        return self._stage.positions(partitions)

    def _revoked(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        self._remove("revoked", revoked)

    def _lost(self, _: Consumer, lost: list[TopicPartition]) -> None:
        self._remove("lost", lost)

    def _remove(self, event: str, gone: list[TopicPartition]) -> None:
        # Nothing is committed here: a batch is either delivered before this call or dropped by it.
        partitions = self._record_move(event, gone)
        self.owned.difference_update(partitions)
        self.unplaced.difference_update(partitions)
        self.held.difference_update(partitions)
        self._drop(partitions)
        self._stage.revoked(partitions)
        self._consumer.incremental_unassign(gone)

    def _record_move(self, event: str, moved: list[TopicPartition]) -> list[Partition]:
        partitions = [Partition(each.topic, each.partition) for each in moved]
        if partitions:
            log.info("%s: %s %s", self._stage.name, event, _ranges(partitions))
        metrics.REBALANCED.labels(self._stage.name, event).inc(len(partitions))
        return partitions


def _why_unknown(names: list[str], error: KafkaError) -> str:
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return f"Kafka has no topic {' or no '.join(names)}: run manage.py create_topics"
    return f"Kafka does not tell which topics it has: {error.str()}"


def _without_offsets(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(*partition) for partition in partitions]


def _with_offsets(partitions: Iterable[Partition], positions: dict[Partition, int]) -> list[TopicPartition]:
    return [
        TopicPartition(*partition, positions[partition]) if partition in positions else TopicPartition(*partition)
        for partition in partitions
    ]


def _ranges(partitions: Iterable[Partition]) -> str:
    """`topic/0…23 other/0…2`: runs of partitions by topic."""
    words = []
    for topic, numbers in groupby(sorted(partitions), key=lambda partition: partition.topic):
        # Within a run, number and place grow together.
        runs = groupby(enumerate(number for _, number in numbers), key=lambda placed: placed[1] - placed[0])
        ends = [[number for _, number in run] for _, run in runs]
        words.append(f"{topic}/" + ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}…{run[-1]}" for run in ends))
    return " ".join(words)
