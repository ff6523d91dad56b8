"""Which days the archive sink has passed in every partition, so that they can be sealed."""

from datetime import UTC, date, datetime, time, timedelta

from confluent_kafka import Consumer, KafkaError, TopicPartition

from audittrail.archive import writer
from consumers import conf
from consumers.kafka import clients, topics

GRACE = timedelta(minutes=15)
"""After midnight: clocks of brokers differ, and a transaction begun before may still be committed."""

TIMEOUT_SECONDS = 30


class NotKnown(Exception):
    """Kafka does not answer; the text says to what."""


def passed(days: list[date], now: datetime) -> list[date]:
    """Those of some days (UTC) of which nothing can arrive any more and everything is archived. Raises NotKnown,
    KafkaException.
    """
    over = [day for day in days if now >= _end(day) + GRACE]
    oldest = min(_waiting().values(), default=now) if over else now
    return [day for day in over if oldest >= _end(day)]


def _end(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _waiting() -> dict[int, datetime]:
    """Partition → when its first message after the archive's end was appended; without partitions that have none.

    It may be one that the sink rejected: the day is then sealed once an event has followed it.
    """
    topic = conf.enriched_topic()
    numbers = set(clients.admin().list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic].partitions)
    ends = writer.ends(topics.ids(clients.admin(), [topic])[topic], numbers)
    reader = clients.assigned_reader("sealing")
    reader.assign([TopicPartition(topic, number, ends.get(number, 0)) for number in numbers])
    try:
        return _first_times(reader, numbers)
    finally:
        reader.close()


def _first_times(reader: Consumer, numbers: set[int]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    ended: set[int] = set()
    while found.keys() | ended != numbers:
        message = reader.poll(TIMEOUT_SECONDS)
        if message is None:
            raise NotKnown(
                f"Kafka does not tell what partitions {sorted(numbers - found.keys() - ended)} of the topic hold."
            )
        error, number = message.error(), message.partition()
        if error is None and number is not None:
            at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
            found[number] = min(at, found.get(number, at))
        elif error is not None and number is not None and error.code() == KafkaError._PARTITION_EOF:
            ended.add(number)
    return found
