"""How long each stage stood still while there was work, seen from outside: from the positions its group has
committed.
"""

import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from testkit.faults.trail import Trail

LOOK_SECONDS = 0.5
TIMEOUT = 3


class Stalls(threading.Thread):
    """Watches until `stop`; `longest`: stage → seconds, for a newsroom that never rests."""

    def __init__(self, trail: Trail):
        super().__init__(name="stalls", daemon=True)
        self._trail = trail
        # Consumers that never join: the admin client's own question for these positions ends the process when a broker
        # dies at it.
        self._readers = {stage: self._reader(group) for stage, (group, _) in trail.groups.items()}
        self._stopping = threading.Event()
        self._seen: dict[str, tuple[int, float]] = {}
        self.longest: dict[str, float] = {}

    @property
    def moved_at(self) -> dict[str, float]:
        """Stage → when it was last seen to have done something (time.monotonic)."""
        return {stage: at for stage, (_, at) in self._seen.items()}

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for stage in self._readers:
                try:
                    self._note(stage, self.progress(stage))
                except KafkaException:
                    continue

    def progress(self, stage: str) -> int:
        """A number that grows with what the stage has done. Raises KafkaException."""
        reader, topic = self._readers[stage], self._trail.groups[stage][1]
        numbers = reader.list_topics(topic, TIMEOUT).topics[topic].partitions
        committed = reader.committed([TopicPartition(topic, number) for number in numbers], TIMEOUT)
        return sum(max(0, position.offset) for position in committed)

    def _note(self, stage: str, progress: int) -> None:
        now = time.monotonic()
        before, since = self._seen.get(stage, (None, now))
        if progress != before:
            self._seen[stage] = progress, now
            if before is not None:
                self.longest[stage] = max(self.longest.get(stage, 0.0), now - since)

    def _reader(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._trail.addresses.kafka_bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                # Or an answer waits for transactions that lost replies have left open.
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )
