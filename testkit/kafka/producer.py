"""A producer of the in-memory broker."""

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from consumers.kafka.protocols import DeliveryCallback, Headers
from consumers.records import Partition
from testkit.kafka import errors
from testkit.kafka.broker import InMemoryBroker
from testkit.kafka.groups import GroupMetadata
from testkit.kafka.log import Fate, Transaction


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that was handed over and not yet written."""

    partition: Partition
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    on_delivery: DeliveryCallback | None

    def report(self, error: KafkaError | None) -> None:
        if self.on_delivery is not None:
            message = Message(topic=self.partition.topic, partition=self.partition.number, key=self.key, error=error)
            self.on_delivery(error, message)


class InMemoryProducer:
    """As confluent_kafka.Producer; of the settings it knows transactional.id, transaction.timeout.ms and
    queue.buffering.max.messages.
    """

    def __init__(self, broker: InMemoryBroker, settings: Mapping[str, object]):
        self._broker = broker
        self._id = str(settings.get("transactional.id", ""))
        self._timeout = int(str(settings.get("transaction.timeout.ms", 60_000))) / 1000
        self._limit = int(str(settings.get("queue.buffering.max.messages", 100_000)))
        self._queue: list[Queued] = []
        self._purged: list[Queued] = []
        self._epoch: int | None = None
        self._transaction: Transaction | None = None

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        *,
        on_delivery: DeliveryCallback | None = None,
        headers: Headers | None = None,
    ) -> None:
        if self._id and self._transaction is None:
            raise errors.local(KafkaError._STATE, "Local: Erroneous state")
        if len(self._queue) >= self._limit:
            raise BufferError("Local: Queue full")
        self._queue.append(Queued(Partition(topic, partition), key, value, headers, on_delivery))

    def poll(self, timeout: float = -1) -> int:
        """Write what is queued, and report; what the real one does on its own meanwhile."""
        self._broker.tick()
        queue, self._queue = self._queue, []
        purged, self._purged = self._purged, []
        for queued in purged:
            queued.report(KafkaError(KafkaError._PURGE_QUEUE))
        for queued in queue:
            queued.report(self._write(queued))
        if queue and self._is_fenced():
            raise self._fenced()
        return len(purged) + len(queue)

    def _write(self, queued: Queued) -> KafkaError | None:
        if self._is_fenced():
            return self._fenced().args[0]
        try:
            self._broker.append(queued.partition, queued.key, queued.value, queued.headers, self._transaction)
        except KafkaException as error:
            return error.args[0]
        return None

    def flush(self, timeout: float = -1) -> int:
        self.poll(timeout)
        return 0

    def purge(self) -> None:
        self._purged, self._queue = self._purged + self._queue, []

    # Transactions

    def init_transactions(self, timeout: float = -1) -> None:
        if not self._id:
            raise errors.local(KafkaError._NOT_CONFIGURED, "Local: Functionality not configured")
        self._epoch = self._broker.initialise(self._id, self._timeout)

    def begin_transaction(self) -> None:
        self._demand_current()
        if self._transaction is not None:
            raise errors.local(KafkaError._STATE, "Local: Erroneous state: a transaction is open")
        self._transaction = self._broker.begin(self._id)

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: object, timeout: float = -1
    ) -> None:
        transaction = self._open()
        if not isinstance(group_metadata, GroupMetadata):
            raise TypeError("group_metadata is not what consumer_group_metadata() gives")
        group = self._broker.group(group_metadata.group)
        group.check(group_metadata)
        offsets = {Partition(each.topic, each.partition): each.offset for each in positions}
        transaction.offsets.setdefault(group.name, {}).update(offsets)
        group.add_pending(transaction)

    def commit_transaction(self, timeout: float = -1) -> None:
        self._open()
        self.poll()
        self._end(Fate.COMMITTED)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._open()
        self.purge()
        self.poll()
        self._end(Fate.ABORTED)

    def _end(self, fate: Fate) -> None:
        self._demand_current()
        self._transaction = None
        self._broker.end(self._id, fate)

    def _open(self) -> Transaction:
        self._demand_current()
        if self._transaction is None:
            raise errors.local(KafkaError._STATE, "Local: Erroneous state: no transaction is open")
        return self._transaction

    def _demand_current(self) -> None:
        self._broker.tick()
        if self._epoch is None:
            raise errors.local(KafkaError._STATE, "Local: Erroneous state: init_transactions comes first")
        if self._is_fenced():
            raise self._fenced()

    def _is_fenced(self) -> bool:
        return self._epoch is not None and not self._broker.is_current(self._id, self._epoch)

    def _fenced(self) -> KafkaException:
        return KafkaException(
            errors.fatal(KafkaError._FENCED, "Local: This instance has been fenced by a newer instance")
        )
