"""What capture adds to a save, with and without relations, and to each row of a bulk update.

Run against the local stack: `make bench`, or `python -m benchmarks.bench_capture`.  Each pair is measured in turns,
with triggers on and off, in one run.
"""

import os
import statistics
import time
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from django.db import connections, transaction

from audittrail import Actor, context
from newsroom.models import Article, Author, Credit, Tag

ROUNDS = 300
ROWS = 1000
BODY = "<p>" + "Inspectors found cracks in two supports of the harbour bridge. " * 150 + "</p>"
TABLES = ("newsroom_article", "newsroom_article_tags", "newsroom_credit")


def capture(enabled: bool) -> None:
    with connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} {'ENABLE' if enabled else 'DISABLE'} TRIGGER USER")


def save(article: Article, number: int) -> None:
    article.headline = f"Harbour bridge closed {number}"
    article.body = BODY + str(number)
    article.save()


def save_with_relations(article: Article, number: int, tags: list[Tag], authors: list[Author]) -> None:
    save(article, number)
    article.tags.set([tags[number % 5], tags[(number + 1) % 5]])
    article.credits.all().delete()
    Credit.objects.bulk_create(
        [Credit(article=article, author=authors[(number + at) % 5], position=at) for at in range(2)]
    )


def _plan_again(action, article: Article) -> None:
    """Switching triggers makes PostgreSQL forget its plans, which a working newsroom does not."""
    for number in range(10):
        with context(actor=Actor("service", "benchmark")):
            action(article, -number)


def median_ms(action, article: Article, numbers: range) -> float:
    spent = []
    _plan_again(action, article)
    for number in numbers:
        started = time.perf_counter()
        with transaction.atomic():
            action(article, number)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1000


def median_ms_in_context(action, article: Article, numbers: range) -> float:
    spent = []
    _plan_again(action, article)
    for number in numbers:
        started = time.perf_counter()
        with context(actor=Actor("service", "benchmark")):
            action(article, number)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1000


def compare(name: str, action, article: Article, goal: float) -> None:
    with_capture, without = [], []
    for turn in range(4):
        numbers = range(turn * ROUNDS, (turn + 1) * ROUNDS)
        capture(False)
        without.append(median_ms(action, article, numbers))
        capture(True)
        with_capture.append(median_ms_in_context(action, article, numbers))
    on, off = min(with_capture), min(without)
    print(
        f"{name:34} without {off:6.2f} ms   with {on:6.2f} ms   added {on - off:5.2f} ms   "
        f"goal {goal} ms   ratio {on / off:4.2f}"
    )


def bulk(marker: str) -> float:
    started = time.perf_counter()
    Article.objects.filter(slug__startswith=f"bench-{marker}-").update(headline=f"Bulk {time.time()}")
    return time.perf_counter() - started


def compare_bulk(marker: str) -> None:
    on, off, untracked = [], [], []
    for _ in range(5):
        capture(False)
        bulk(marker)
        off.append(bulk(marker))
        capture(True)
        bulk(marker)
        on.append(bulk(marker))
        started = time.perf_counter()
        Article.objects.filter(slug__startswith=f"bench-{marker}-").update(created_at="2026-01-01T00:00Z")
        untracked.append(time.perf_counter() - started)
    added = (min(on) - min(off)) / ROWS * 1e6
    print(
        f"{'a row of a 1,000-row update()':34} without {min(off) * 1e3:6.1f} ms   with {min(on) * 1e3:6.1f} ms   "
        f"added {added:5.1f} µs a row   goal 100 µs"
    )
    print(f"{'1,000 rows, untracked column':34} with {min(untracked) * 1e3:6.1f} ms")


def main() -> None:
    marker = uuid.uuid4().hex[:8]
    article = Article.objects.create(headline="Harbour bridge closed", slug=f"bench-one-{marker}", body=BODY)
    tags = [Tag.objects.create(name=f"{marker} {n}") for n in range(5)]
    authors = [Author.objects.create(name=f"{marker} {n}", byline=f"B{n}") for n in range(5)]
    try:
        compare("a save, headline and body (9 kB)", save, article, 0.6)
        compare("a save with tags and credits", lambda a, n: save_with_relations(a, n, tags, authors), article, 0.6)
        Article.objects.bulk_create(
            [Article(headline=f"H{n}", slug=f"bench-{marker}-{n}", body=BODY) for n in range(ROWS)]
        )
        compare_bulk(marker)
    finally:
        capture(True)


if __name__ == "__main__":
    main()
