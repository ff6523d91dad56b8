"""Reads every event of the enriched topic, once and to its end, with nothing but confluent-kafka and the registry's
address.

    pip install "confluent-kafka[avro,schemaregistry]"
    python read_enriched.py --brokers localhost:9092 --registry http://localhost:8081
        [--topic content-audit-trail.enriched] [--follow] [--in-order SECONDS]

Prints one JSON object a line, as events arrive; with --in-order, each article's events by their `sequence`: what is
ahead is held back until what is missing has come, or so many seconds have passed, and then the gap is printed.
"""

import argparse
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

Event = Mapping[str, Any]
"""As the registry's schema says; a gap has `article_id` and `missing` only."""


class InOrder:
    """Puts each article's events in order, whatever order they arrive in, and waits a bounded time for one that is
    missing.
    """

    def __init__(self, wait_seconds: float, clock: Callable[[], float] = time.monotonic):
        self._wait, self._clock = wait_seconds, clock
        self._next: dict[str, int] = {}
        self._held: dict[str, dict[int, tuple[float, Event]]] = {}

    def add(self, event: Event) -> list[Event]:
        """What can be shown now that this event has arrived; one that comes after its gap was shown is shown late."""
        article, sequence = event["article_id"], event["sequence"]
        if sequence < self._next.setdefault(article, 1):
            return [event]
        self._held.setdefault(article, {})[sequence] = (self._clock(), event)
        return self._ready(article)

    def overdue(self, at_once: bool = False) -> list[Event]:
        """What has been held back long enough (`at_once`: all), each gap before what follows it: {"article_id",
        "missing": [first, last]}.
        """
        shown: list[Event] = []
        for article, held in list(self._held.items()):
            while held and (at_once or self._clock() - held[min(held)][0] >= self._wait):
                shown.append({"article_id": article, "missing": [self._next[article], min(held) - 1]})
                self._next[article] = min(held)
                shown += self._ready(article)
        return shown

    def _ready(self, article: str) -> list[Event]:
        held, ready = self._held[article], []
        while self._next[article] in held:
            ready.append(held.pop(self._next[article])[1])
            self._next[article] += 1
        if not held:
            del self._held[article]
        return ready


def messages(brokers: str, topic: str, follow: bool) -> Iterator[Message | None]:
    """Committed messages of all partitions, from the first; None now and then while there are none."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"example-{uuid.uuid4()}",
            "enable.auto.commit": False,
            # Otherwise events of transactions that were given up would be read as well.
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    unread = set(partitions)
    while unread or follow:
        message = consumer.poll(1)
        if message is None or (error := message.error()) is None:
            yield message
        elif error.name() == "_PARTITION_EOF":
            unread.discard(message.partition())
        else:
            raise KafkaException(error)
    consumer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT,…")
    parser.add_argument("--registry", required=True, metavar="URL")
    parser.add_argument("--topic", default="content-audit-trail.enriched")
    parser.add_argument("--follow", action="store_true", help="go on with what comes later, until Ctrl-C")
    parser.add_argument(
        "--in-order",
        type=float,
        metavar="SECONDS",
        help="each article's events in order; how long to wait for a missing one",
    )
    options = parser.parse_args()
    # Without a limit an answer that is lost on its way is waited for without end; with it, the question is asked again.
    registry = SchemaRegistryClient({"url": options.registry, "timeout": 5})
    # The default strategy first asks for the topic's associations, which only Confluent's own registry knows.
    deserialise = AvroDeserializer(registry, conf={"subject.name.strategy": topic_subject_name_strategy})
    in_order = InOrder(options.in_order) if options.in_order is not None else None
    for message in messages(options.brokers, options.topic, options.follow):
        if message is not None:
            event = deserialise(message.value(), SerializationContext(options.topic, MessageField.VALUE))
            show(in_order.add(event) if in_order else [event])
        if in_order:
            show(in_order.overdue())
    if in_order:
        show(in_order.overdue(at_once=True))


def show(found: list[Event]) -> None:
    for each in found:
        print(
            json.dumps(each, default=lambda value: value.hex() if isinstance(value, bytes) else str(value)), flush=True
        )


if __name__ == "__main__":
    main()
