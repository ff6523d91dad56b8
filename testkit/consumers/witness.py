"""Witnesses of what is in Kafka, independent of the code under test but for the codec, and articles to change."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Protocol, cast

from confluent_kafka import Consumer, TopicPartition
from django.db import connections, transaction

from audittrail import contracts
from audittrail.contracts.codec import Codec
from audittrail.models import OutboxEvent
from consumers import conf
from consumers.kafka.schema_registry import schemas
from newsroom.models import Article


class ReadMessage(Protocol):
    """A message as read, with a value: confluent_kafka.Message knows errors as well, and so leaves everything open."""

    def topic(self) -> str: ...

    def partition(self) -> int: ...

    def offset(self) -> int: ...

    def timestamp(self) -> tuple[int, int]: ...

    def key(self) -> bytes: ...

    def value(self) -> bytes: ...

    def headers(self) -> list[tuple[str, bytes]]: ...


def committed(topic: str) -> list[ReadMessage]:
    """All messages of a topic that a read_committed reader gets, partition by partition, in order."""
    reader = Consumer(
        {
            "bootstrap.servers": conf.kafka_bootstrap_servers(),
            "group.id": "witness",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = reader.list_topics(topic, 10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    messages: list[ReadMessage] = []
    ended: set[int | None] = set()
    while len(ended) < len(partitions):
        message = reader.poll(30)
        assert message is not None, f"{topic} cannot be read to its end"
        if message.error():
            ended.add(message.partition())
        else:
            messages.append(cast(ReadMessage, message))
    reader.close()
    return messages


def published() -> list[tuple[str, int]]:
    """Article and sequence of each raw event in Kafka."""
    codec = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)
    events = [codec.decode(message.value(), schemas().by_id) for message in committed(conf.raw_topic())]
    return [(event["article_id"], event["sequence"]) for event in events]


def captured() -> set[tuple[str, int]]:
    """Article and sequence of each event in the outbox."""
    return set(OutboxEvent.objects.values_list("article_id", "sequence"))


def faults(found: list[tuple[str, int]], wanted: set[tuple[str, int]]) -> dict[str, int]:
    """How many events are lost, doubled and out of order in their article."""
    last: dict[str, int] = {}
    disordered = 0
    for article, sequence in found:
        disordered += sequence < last.get(article, 0)
        last[article] = max(sequence, last.get(article, 0))
    doubled = sum(count - 1 for count in Counter(found).values())
    return {"lost": len(wanted - set(found)), "doubled": doubled, "disordered": disordered}


def pending() -> int:
    return OutboxEvent.objects.pending().count()


def some_articles(count: int) -> list[Article]:
    return Article.objects.bulk_create(
        Article(headline=f"Headline {n}", slug=f"article-{n}", body="Some words.") for n in range(count)
    )


@contextlib.contextmanager
def writers(articles: list[Article], threads: int = 3) -> Iterator[None]:
    """Threads that change some articles in each transaction, for as long as the block runs."""
    stopping = threading.Event()

    def write(seed: int) -> None:
        chance, turn = random.Random(seed), 0
        while not stopping.is_set():
            with transaction.atomic():
                Article.objects.filter(pk__in=[article.pk for article in chance.sample(articles, 3)]).update(
                    headline=f"{seed}-{turn}"
                )
                if chance.random() < 0.05:
                    time.sleep(0.05)
            turn += 1
            stopping.wait(0.1)
        connections.close_all()

    running = [threading.Thread(target=write, args=(seed,)) for seed in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in running:
            thread.join()
