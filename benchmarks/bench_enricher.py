"""The enricher beside what the client can do, and what exactly-once costs it: events a second and latency of delivery.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_enricher`. All work through the same events of
about 1 kB, in topics of their own. The limit is a bare loop: consume, produce the same bytes, offsets in the
transaction. Batches of 2,000 and 5,000 as under load; of 20 as in an ordinary newsroom.
"""

import os
import statistics
import threading
import time
import uuid
from dataclasses import replace
from io import StringIO
from itertools import islice
from typing import cast
from unittest.mock import patch

import django

PREFIX = f"bench{uuid.uuid4().hex[:6]}-"
os.environ["AUDIT_PREFIX"] = PREFIX
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from confluent_kafka import Message
from django.core.management import call_command

from audittrail.events.event import Event
from consumers import conf
from consumers.kafka import clients
from consumers.runtime import delivery
from consumers.runtime.process import make_loop
from consumers.stages.enricher import Enricher
from testkit.audittrail.events import text_change
from testkit.consumers.running import put_events, raw

FULL, SMALL = 40_000, 4_000
SENTENCE = "Inspectors found cracks in two supports of the harbour bridge, and closed it to lorries. "


class Measured(Enricher):
    """The enricher as a group of its own for each run, and under a name of its own: idempotency keys are kept by
    name.
    """

    def __init__(self, run: str):
        super().__init__()
        self.spec = replace(Enricher.spec, name=f"bench-{run}", group_name=f"bench-{run}")


def fill(count: int) -> None:
    """Raw events of 1,000 articles, by an actor who sent a snapshot along."""
    events = (_event(number) for number in range(count))
    while some := list(islice(events, 10_000)):
        put_events(some)


def _event(number: int) -> Event:
    edits = text_change("body", (120, SENTENCE * 2, SENTENCE * 3))
    return raw(number % 1000, sequence=2 + number // 1000, changes=[edits])


def bare(records: int, count: int) -> float:
    """Events a second of a loop that only passes messages on, exactly once."""
    consumer = clients.consumer(f"{PREFIX}bare-{records}", "bare-1")
    producer = clients.transactional_producer(f"{PREFIX}bare-{records}")
    producer.init_transactions(10)
    consumer.subscribe([conf.raw_topic()])
    done, started = 0, 0.0
    batch: list[Message] = []
    while done < count:
        batch += consumer.consume(min(500, records - len(batch)), 0.1)
        started = started or (time.perf_counter() if batch else 0.0)
        if len(batch) < records and done + len(batch) < count:
            continue
        producer.begin_transaction()
        for message in batch:
            producer.produce(
                conf.enriched_topic(),
                message.value(),
                message.key(),
                cast(int, message.partition()),  # of a message that is no error
                headers=message.headers(),
            )
        producer.flush()
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 10
        )
        producer.commit_transaction(10)
        done, batch = done + len(batch), []
    rate = done / (time.perf_counter() - started)
    consumer.close()
    return rate


def measure(run: str, guarantee: str, records: int, count: int) -> float:
    os.environ["AUDIT_DELIVERY"], os.environ["AUDIT_BATCH_RECORDS"] = guarantee, str(records)
    latencies, delivered, done = [], 0, threading.Event()
    cls = delivery.ExactlyOnce if guarantee == conf.EXACTLY_ONCE else delivery.AtLeastOnce
    deliver = cls.deliver
    first = 0.0

    def timed(self, batch, messages) -> None:
        nonlocal delivered, first
        started = time.perf_counter()
        first = first or started
        deliver(self, batch, messages)
        latencies.append(time.perf_counter() - started)
        delivered += len(batch.records)
        if delivered >= count:
            done.set()

    with patch.object(cls, "deliver", timed):
        loop = make_loop(Measured(run), 1)
        thread = threading.Thread(target=loop.run)
        thread.start()
        assert done.wait(300), f"{run}: {delivered} of {count} events"
        rate = delivered / (time.perf_counter() - first)
        loop.stop()
        thread.join()
    centiles = statistics.quantiles(latencies, n=100)
    print(
        f"{guarantee:14} batches of {records:5}: {rate:8,.0f} events/s, "
        f"delivery p50 {centiles[49] * 1000:6.1f} ms, p99 {centiles[98] * 1000:6.1f} ms  ({len(latencies)} batches)"
    )
    return rate


def main() -> None:
    call_command("create_topics", stdout=StringIO())
    call_command("register_schemas", stdout=StringIO())
    try:
        fill(FULL)
        for records in (2_000, 5_000):
            limit = bare(records, FULL)
            print(f"{'bare loop':14} batches of {records:5}: {limit:8,.0f} events/s")
            rate = measure(f"once-{records}", conf.EXACTLY_ONCE, records, FULL)
            print(f"{'':14} the enricher does {rate / limit:.0%} of the bare loop")
        measure("at-least-once-2000", conf.AT_LEAST_ONCE, 2_000, FULL)
        for guarantee in (conf.EXACTLY_ONCE, conf.AT_LEAST_ONCE):
            measure(f"{guarantee}-small", guarantee, 20, SMALL)
    finally:
        for future in (
            clients.admin().delete_topics([conf.raw_topic(), conf.enriched_topic(), conf.dead_letter_topic()]).values()
        ):
            future.result()


if __name__ == "__main__":
    main()
