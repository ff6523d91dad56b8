"""A breaking story, 1,000 edits a minute on one article among a hundred others, through each key strategy.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_hot_article [--seconds 30]`.  The edits are
real ones: saved, captured, relayed.  A reader works on each partition for itself and takes 80 ms for an event, as one
does that calls a slow service: so a partition can be too much for it.  Reported for each strategy: how many of all
events the fullest partition of the story's lane got, how old the others' events were when the reader had dealt with
them, how many of the story's arrived before one that was captured earlier, and whether a reader that orders by sequence
showed them all in order.
"""

import argparse
import os
import queue
import random
import statistics
import threading
import time
import uuid
from collections import Counter
from io import StringIO

import django

os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
DATABASE = f"bench{uuid.uuid4().hex[:6]}"
os.environ["DATABASE_NAME"], os.environ["AUDIT_PREFIX"] = DATABASE, f"{DATABASE}-"
django.setup()

from confluent_kafka import Consumer, TopicPartition
from django.core.management import call_command
from django.db import connections

from audittrail import contracts
from audittrail.events.event import Event
from audittrail.models import OutboxEvent
from consumers import conf
from consumers.kafka import clients, schema_registry
from consumers.relay.keys import STRATEGIES
from examples.read_enriched import InOrder
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.maintenance import new_database

STORY_PER_MINUTE, OTHERS, OTHERS_PER_MINUTE = 1000, 100, 300
WORK_SECONDS = 0.08
PATIENCE_SECONDS = 120


class Reader:
    """One worker for each partition; what each has dealt with, and when."""

    def __init__(self):
        self.done: list[tuple[Event, int, float]] = []
        self._codec, self._queues = schema_registry.codec(contracts.RAW), {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _read(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": conf.kafka_bootstrap_servers(),
                "group.id": conf.group("bench"),
                "isolation.level": "read_committed",
            }
        )
        consumer.assign([TopicPartition(conf.raw_topic(), number, 0) for number in range(conf.partitions())])
        while not self._stopping.is_set():
            for message in consumer.consume(100, 0.1):
                if message.partition() not in self._queues:
                    self._queues[message.partition()] = queue.Queue()
                    threading.Thread(target=self._work, args=(message.partition(),), daemon=True).start()
                self._queues[message.partition()].put(message)
        consumer.close()

    def _work(self, partition: int) -> None:
        while True:
            event = self._codec.decode(self._queues[partition].get().value(), schema_registry.schemas().by_id)
            time.sleep(WORK_SECONDS)
            self.done.append((event, partition, time.time()))


def edit(story: Article, others: list[Article], seconds: float) -> None:
    """Edits at even distances: of the story, and of the others in turn."""
    started, chance = time.monotonic(), random.Random(1)
    per_second = (STORY_PER_MINUTE + OTHERS_PER_MINUTE) / 60
    for number in range(round(seconds * per_second)):
        time.sleep(max(0.0, started + number / per_second - time.monotonic()))
        article = (
            story
            if chance.random() < STORY_PER_MINUTE / (STORY_PER_MINUTE + OTHERS_PER_MINUTE)
            else chance.choice(others)
        )
        Article.objects.filter(pk=article.pk).update(headline=f"Edit {number}")


def measure(strategy: str, seconds: float) -> None:
    os.environ["AUDIT_KEY_STRATEGY"] = strategy
    os.environ["AUDIT_PREFIX"] = f"{DATABASE}-{strategy}-".replace("_", "-")
    call_command("create_topics", verbosity=0, stdout=StringIO())
    call_command("register_schemas", verbosity=0, stdout=StringIO())
    story, *others = Article.objects.bulk_create(
        Article(headline="A", slug=f"{strategy}-{n}", body="Some words.") for n in range(OTHERS + 1)
    )
    with connections["pipeline"].cursor() as cursor:
        cursor.execute("DELETE FROM consumers_relaylane")
    with relaying():
        reader = Reader()
        edit(story, others, seconds)
        wanted = OutboxEvent.objects.filter(
            article_id__in=[f"newsroom.article:{each.pk}" for each in (story, *others)]
        ).count()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(reader.done) < wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        reader.stop()
    report(strategy, reader.done, f"newsroom.article:{story.pk}", wanted)
    ours = [name for name in clients.admin().list_topics(timeout=10).topics if name.startswith(conf.prefix())]
    for future in clients.admin().delete_topics(ours).values():
        future.result(20)
    for subject in (conf.subject(f"{conf.prefix()}{contract}") for contract in contracts.contracts()):
        schema_registry.client().delete_subject(subject)
        schema_registry.client().delete_subject(subject, permanent=True)


def report(strategy: str, done: list[tuple[Event, int, float]], story: str, wanted: int) -> None:
    load = Counter(partition for _, partition, _ in done)
    ages = sorted(
        at - event["recorded_at"].timestamp()
        for event, _, at in done
        if event["article_id"] != story and event["operation"] == "update"
    )
    own = [at - event["recorded_at"].timestamp() for event, _, at in done if event["article_id"] == story]
    arrival = [event["sequence"] for event, _, _ in done if event["article_id"] == story]
    early = sum(number < highest for number, highest in zip(arrival[1:], _highest(arrival), strict=False))
    orderer = InOrder(wait_seconds=PATIENCE_SECONDS)
    shown = [each["sequence"] for event, _, _ in done if event["article_id"] == story for each in orderer.add(event)]
    ordered = "all in order" if shown == list(range(1, len(arrival) + 1)) else f"ONLY {len(shown)} in order"
    partitions = {partition for event, partition, _ in done if event["article_id"] == story}
    print(
        f"{strategy:<13} events {len(done)}/{wanted}  fullest partition {max(load.values()) / len(done):4.0%} of all, "
        f"partitions with the story {len(partitions)}  others' age: median {statistics.median(ages):.2f} s, "
        f"95 % {ages[int(len(ages) * 0.95)]:.2f} s, "
        f"worst {ages[-1]:.2f} s  the story's: median {statistics.median(own):.2f} s  "
        f"story out of order on arrival {early / len(arrival):.0%}, by sequence {ordered}"
    )


def _highest(numbers: list[int]) -> list[int]:
    found, highest = [], 0
    for number in numbers:
        highest = max(highest, number)
        found.append(highest)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long each strategy is measured (default: 30)")
    seconds = parser.parse_args().seconds
    with new_database(DATABASE):
        call_command("migrate", database="owner", verbosity=0)
        print(
            f"{STORY_PER_MINUTE} edits a minute of one article, {OTHERS_PER_MINUTE} of {OTHERS} others, "
            f"for {seconds:.0f} s; a reader takes {WORK_SECONDS * 1000:.0f} ms an event"
        )
        for strategy in STRATEGIES:
            measure(strategy, seconds)


if __name__ == "__main__":
    main()
