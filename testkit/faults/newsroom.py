"""`python -m testkit.faults.newsroom LEDGER`: a newsroom at work, until SIGTERM, that keeps its own ledger of what it
did.

Several writers save articles they have in common, by the models and in a context as the site does: edits, tags, several
articles in one transaction, deletions, and now and then a text too large for a message. Whatever fails is tried anew.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
django.setup()

from django.db import Error, connections  # noqa: E402 - Django is set up first

from audittrail import Actor, context  # noqa: E402 - Django is set up first
from newsroom.models import Article, Author, Tag  # noqa: E402 - Django is set up first
from testkit.faults.ledger import Ledger, State  # noqa: E402 - Django is set up first

WORDS = [
    "bridge",
    "council",
    "ferry",
    "harbour",
    "naïve",
    "–",
    "“quoted”",
    "東京",
    "cracks",
    "budget",
    "vote",
    "late",
    "night",
    "mayor",
    "&",
    "co",
    "<b>bold</b>",
]
ARTICLES = 60
LARGE = 120_000
REST_SECONDS = 0.3


def number_of(headline: str) -> int:
    """The number of an article's state: its headline ends with it."""
    return int(headline.rpartition("#")[2])


def state_of(article: Article) -> State:
    tags = [str(pk) for pk in article.tags.values_list("pk", flat=True)]
    return {"headline": article.headline, "standfirst": article.standfirst, "body": article.body, "tags": tags}


class Writer(threading.Thread):
    """One of several at work; `seconds` between two saves."""

    def __init__(self, seed: int, ledger: Ledger, seconds: float, stopping: threading.Event):
        super().__init__(name=f"writer-{seed}")
        self._chance, self._ledger, self._seconds, self._stopping = random.Random(seed), ledger, seconds, stopping
        self._tags = list(Tag.objects.values_list("pk", flat=True))
        self._actor = Actor(
            "user", f"newsroom.author:{self._chance.choice(list(Author.objects.values_list('pk', flat=True)))}"
        )

    def run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._save()
            except Error:
                connections["default"].close()
                self._stopping.wait(REST_SECONDS)
            due = max(due + self._seconds, time.monotonic() - 1.0)
            self._stopping.wait(max(0.0, due - time.monotonic()))
        connections.close_all()

    def _save(self) -> None:
        begun = time.perf_counter()
        with context(actor=self._actor, channel="faults"):
            attempt = self._ledger.attempt(self._change())
        self._ledger.committed(attempt, time.perf_counter() - begun)

    def _change(self) -> list[tuple[str, int, State | None]]:
        """Change something; the states that shall be committed."""
        chance = self._chance.random()
        pks = list(Article.objects.order_by("-pk").values_list("pk", flat=True)[:ARTICLES])
        if len(pks) < ARTICLES or chance < 0.03:
            return [self._create()]
        chosen = sorted(self._chance.sample(pks, 3 if chance < 0.15 else 1))
        articles = list(Article.objects.select_for_update().filter(pk__in=chosen).order_by("pk"))
        if chance > 0.99:
            return [self._remove(article) for article in articles]
        return [self._edit(article) for article in articles]

    def _create(self) -> tuple[str, int, State]:
        article = Article.objects.create(
            headline=f"{self._text(4)} #1",
            slug=f"{self._chance.getrandbits(64):x}",
            standfirst=self._text(12),
            body=self._body(),
        )
        article.tags.set(self._chance.sample(self._tags, 2))
        return _entry(article, 1)

    def _edit(self, article: Article) -> tuple[str, int, State]:
        number = number_of(article.headline) + 1
        article.headline = f"{self._text(4)} #{number}"
        words = article.body.split(" ")
        at = self._chance.randrange(len(words))
        words[at : at + self._chance.randrange(4)] = self._text(self._chance.randrange(4)).split(" ")
        article.body = self._body() if self._chance.random() < 0.01 else " ".join(words)
        if self._chance.random() < 0.3:
            article.tags.set(self._chance.sample(self._tags, self._chance.randrange(4)))
        article.save()
        return _entry(article, number)

    @staticmethod
    def _remove(article: Article) -> tuple[str, int, None]:
        entry = f"newsroom.article:{article.pk}", number_of(article.headline) + 1, None
        article.delete()
        return entry

    def _body(self) -> str:
        if self._chance.random() < 0.1:
            return f"{self._chance.getrandbits(8 * LARGE // 2):x}"
        return self._text(self._chance.randrange(20, 200))

    def _text(self, words: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=words))


def _entry(article: Article, number: int) -> tuple[str, int, State]:
    return f"newsroom.article:{article.pk}", number, state_of(article)


def furnish() -> None:
    """Tags to set, and authors to act."""
    for number in range(8):
        Tag.objects.get_or_create(name=f"tag {number}")
    for number in range(4):
        Author.objects.get_or_create(
            name=f"Author {number}", defaults={"byline": f"By Author {number}", "desk": "News", "role": "reporter"}
        )


def _fail(arguments) -> None:
    """A writer that is wrong ends the newsroom, so that nobody takes its silence for peace."""
    sys.excepthook(*arguments[:3])
    os._exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--rate", type=float, default=40, help="saves a second, of all writers")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    stopping = threading.Event()
    threading.excepthook = _fail
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    furnish()
    ledger = Ledger(arguments.ledger)
    writers = [
        Writer(arguments.seed * 100 + each, ledger, arguments.writers / arguments.rate, stopping)
        for each in range(arguments.writers)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


if __name__ == "__main__":
    main()
