"""What exactly-once costs the enricher: events a second and latency of delivery, in transactions and at least once.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_enricher`.  Both work through the same events,
in topics of their own. "Full" are batches of 2,000 as under load; "small" are batches of 20 as in an ordinary newsroom.
"""

import os
import statistics
import threading
import time
import uuid
from dataclasses import replace
from io import StringIO
from unittest.mock import patch

import django

PREFIX = f"bench{uuid.uuid4().hex[:6]}-"
os.environ["AUDIT_PREFIX"] = PREFIX
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from confluent_kafka import Producer
from django.core.management import call_command

from audittrail import contracts
from consumers import conf
from consumers.kafka import clients, schema_registry
from consumers.runtime import delivery
from consumers.runtime.process import make_loop
from consumers.stages.enricher import Enricher
from testkit.audittrail.events import PROFILE, raw_event

FULL, SMALL = 20_000, 4_000


class Measured(Enricher):
    """The enricher as a group of its own for each run, and under a name of its own: idempotency keys are kept by
    name.
    """

    def __init__(self, run: str):
        super().__init__()
        self.spec = replace(Enricher.spec, name=f"bench-{run}", group_name=f"bench-{run}")


def fill(count: int) -> None:
    """Raw events of 1,000 articles, by an actor who sent a snapshot along."""
    codec, producer = (
        schema_registry.codec(contracts.RAW),
        Producer({"bootstrap.servers": conf.kafka_bootstrap_servers(), "compression.type": "lz4"}),
    )
    for number in range(count):
        article = f"newsroom.article:{number % 1000}"
        actor = {"type": "user", "id": "17", "version": None, "snapshot": PROFILE}
        event = raw_event(event_id=uuid.uuid4(), article_id=article, sequence=2 + number // 1000, actor=actor)
        producer.produce(
            conf.raw_topic(),
            codec.encode(event),
            article,
            number % conf.partitions(),
            headers={"ce_id": str(event["event_id"])},
        )
        producer.poll(0)
        if number % 10_000 == 0:
            producer.flush()
    producer.flush()


def measure(run: str, guarantee: str, records: int, count: int) -> None:
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


def main() -> None:
    call_command("create_topics", stdout=StringIO())
    call_command("register_schemas", stdout=StringIO())
    try:
        fill(FULL)
        for guarantee in (conf.EXACTLY_ONCE, conf.AT_LEAST_ONCE):
            measure(f"{guarantee}-full", guarantee, 2000, FULL)
        for guarantee in (conf.EXACTLY_ONCE, conf.AT_LEAST_ONCE):
            measure(f"{guarantee}-small", guarantee, 20, SMALL)
    finally:
        for future in (
            clients.admin().delete_topics([conf.raw_topic(), conf.enriched_topic(), conf.dead_letter_topic()]).values()
        ):
            future.result()


if __name__ == "__main__":
    main()
