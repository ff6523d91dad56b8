"""How long a partition stands still when a process joins, leaves, or is killed and started again.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_rebalance`.  Each of 24 partitions gets an
event every 50 ms; the broker's time of arrival in the enriched topic shows the longest pause of each, beyond the one
without a cause.
"""

import os
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from io import StringIO
from itertools import pairwise

import django

os.environ["AUDIT_PREFIX"] = f"bench{uuid.uuid4().hex[:6]}-"
os.environ["LOG_LEVEL"] = "ERROR"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from confluent_kafka import Consumer, TopicPartition
from django.core.management import call_command

from audittrail import contracts
from consumers import conf
from consumers.kafka import clients, schema_registry
from consumers.kafka.transactions import collecting, produce_all
from consumers.messages.authenticity import keyring
from consumers.records import Message
from testkit.consumers.running import raw

INTERVAL = 0.05
SETTLE = 8
SLOTS = (91, 92)
"""Far from those of a running pipeline, whose members report to the same database."""


class Feed(threading.Thread):
    """An event into each partition at each interval, until stopped."""

    def __init__(self):
        super().__init__()
        self._stop_now = threading.Event()

    def run(self) -> None:
        codec, keys, producer = schema_registry.codec(contracts.RAW), keyring(), clients.producer()
        while not self._stop_now.wait(INTERVAL):
            for partition in range(conf.partitions()):
                message = Message(conf.raw_topic(), partition, None, codec.encode(raw(partition)))
                keys.sign(message)
                produce_all(producer, [message], collecting([]))
            producer.flush()

    def end(self) -> None:
        self._stop_now.set()
        self.join()


def started(slot: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "run_consumer", "enricher", "--slot", str(slot)]
    )


def arrivals(since: float) -> list[list[float]]:
    """Times of arrival in the enriched topic, in seconds, from a moment on; one list for each partition."""
    reader = Consumer(
        {
            "bootstrap.servers": conf.kafka_bootstrap_servers(),
            "group.id": "bench",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    ends: set[int | None] = set()
    times: dict[int | None, list[float]] = defaultdict(list)
    reader.assign(
        reader.offsets_for_times(
            [TopicPartition(conf.enriched_topic(), number, int(since * 1000)) for number in range(conf.partitions())],
            10,
        )
    )
    while len(ends) < conf.partitions():
        for message in reader.consume(1000, 1):
            if message.error():
                ends.add(message.partition())
            else:
                times[message.partition()].append(message.timestamp()[1] / 1000)
    reader.close()
    return list(times.values())


def measure(what: str, act: Callable[[], None]) -> None:
    since = time.time()
    act()
    time.sleep(SETTLE)
    pauses = sorted(max((b - a for a, b in pairwise(times)), default=SETTLE) for times in arrivals(since))
    print(
        f"{what:36} longest pause of a partition: median {pauses[len(pauses) // 2]:5.2f} s, worst {pauses[-1]:5.2f} s"
    )


def main() -> None:
    call_command("create_topics", stdout=StringIO())
    call_command("register_schemas", stdout=StringIO())
    feed, processes = Feed(), {SLOTS[0]: started(SLOTS[0])}
    feed.start()
    try:
        time.sleep(SETTLE)
        measure("nothing happens", lambda: None)
        measure("a second process joins", lambda: processes.update({SLOTS[1]: started(SLOTS[1])}))
        measure("a process is killed and restarted", lambda: _restart(processes))
    finally:
        feed.end()
        for process in processes.values():
            process.kill()
        for future in (
            clients.admin().delete_topics([conf.raw_topic(), conf.enriched_topic(), conf.dead_letter_topic()]).values()
        ):
            future.result()


def _restart(processes: dict[int, subprocess.Popen]) -> None:
    processes[SLOTS[1]].kill()
    processes[SLOTS[1]].wait()
    processes[SLOTS[1]] = started(SLOTS[1])


if __name__ == "__main__":
    main()
