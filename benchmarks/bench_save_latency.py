"""Does a save wait for anything but PostgreSQL?  Its latency with Redis well, refusing, and frozen (accepting, never
answering).

Kafka has no part in a save at all: bench_kafka_away shows the same for minutes without it.
"""

import os
import socket
import statistics
import subprocess
import sys
import uuid
from contextlib import contextmanager

SAVES = 400


@contextmanager
def frozen():
    """An address that accepts connections and never answers, as a stopped Redis does."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@contextmanager
def refusing():
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def well():
    """The stack's own Redis."""
    import stack

    yield stack.addresses().redis_url


def measure() -> None:
    """In a process of its own, as Celery reads its address once: latencies of saves in ms, p50 and p99."""
    import time

    import django

    django.setup()
    from audittrail import Actor, context
    from newsroom.models import Article

    article = Article.objects.create(
        headline="Harbour bridge closed", slug=uuid.uuid4().hex, body="<p>Cracks.</p>" * 300
    )
    spent = []
    for number in range(SAVES + 20):
        started = time.perf_counter()
        with context(actor=Actor("service", "benchmark")):
            article.headline = f"Harbour bridge closed {number}"
            article.save()
        spent.append((time.perf_counter() - started) * 1000)
    quantiles = statistics.quantiles(spent[20:], n=100)
    print(f"{statistics.median(spent[20:]):.3f} {quantiles[98]:.3f}", flush=True)
    # Threads that still wait for Redis are no part of the measurement.
    os._exit(0)


def main() -> None:
    figures = {}
    for state in (well, refusing, frozen):
        with state() as url:
            environment = {
                **os.environ,
                "REDIS_URL": url,
                "DJANGO_SETTINGS_MODULE": "auditsite.settings",
                "LOG_LEVEL": "ERROR",
            }
            answer = subprocess.run(
                [sys.executable, "-m", "benchmarks.bench_save_latency", "measure"],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
        figures[state.__name__] = tuple(map(float, answer.stdout.split()))
    base = figures["well"]
    for name, (p50, p99) in figures.items():
        print(
            f"Redis {name:9} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   "
            f"ratio to well: p50 {p50 / base[0]:4.2f}, p99 {p99 / base[1]:4.2f}"
        )


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
