"""What the runtime asks of clients of Kafka: those of confluent_kafka offer it, and in tests an in-memory broker's."""

from collections.abc import Callable
from typing import Literal, Protocol

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

RebalanceCallback = Callable[[Consumer, list[TopicPartition]], None]
DeliveryCallback = Callable[[KafkaError | None, Message], None]
Headers = list[tuple[str, str | bytes | None]]


class GroupConsumer(Protocol):
    """A member of a consumer group, as confluent_kafka.Consumer: each call but `close` raises KafkaException."""

    def subscribe(
        self,
        topics: list[str],
        on_assign: RebalanceCallback | None = None,
        on_revoke: RebalanceCallback | None = None,
        on_lost: RebalanceCallback | None = None,
    ) -> None: ...

    def unsubscribe(self) -> None:
        """Leaves the group, a static member too."""

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]: ...

    def pause(self, partitions: list[TopicPartition]) -> None: ...

    def resume(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition) -> None: ...

    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None: ...

    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]: ...

    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...

    def consumer_group_metadata(self) -> object: ...

    def close(self) -> None: ...


class ProducerClient(Protocol):
    """A producer, as confluent_kafka.Producer; calls about transactions need a transactional.id."""

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
        """Raises BufferError while the queue is full."""

    def poll(self, timeout: float = -1) -> int: ...

    def flush(self, timeout: float = -1) -> int: ...

    def purge(self) -> None: ...

    def init_transactions(self, timeout: float = -1) -> None: ...

    def begin_transaction(self) -> None: ...

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: object, timeout: float = -1
    ) -> None: ...

    def commit_transaction(self, timeout: float = -1) -> None: ...

    def abort_transaction(self, timeout: float = -1) -> None: ...
