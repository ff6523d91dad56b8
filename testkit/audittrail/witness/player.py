"""Plays programs on a database: each session in a thread of its own, so that one may wait for another's locks."""

import itertools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection, connections, transaction

from audittrail import Actor, record_save
from audittrail import context as audit_context
from newsroom.models import Article, Author, Credit, Section, Tag
from testkit.audittrail.witness.programs import (
    ARTICLES,
    AUTHORS,
    DOSSIERS,
    FIRST,
    LONG_TEXTS,
    OWNER,
    SECOND,
    SITE,
    TAGS,
    Act,
    Program,
    Statement,
    Within,
)

PATIENCE = 0.03
"""Seconds that a step may take before the next one, of another session, is taken beside it."""


@dataclass(frozen=True)
class Keys:
    """What the names in a program stand for."""

    number: int
    articles: Sequence[int]
    dossiers: Sequence[str]
    tags: Sequence[int]
    authors: Sequence[int]
    section: int

    def put_into(self, sql: str) -> str:
        return re.sub(r"\$([atpsdlg])(\d)", lambda name: str(self._of(name[1], int(name[2]))), sql)

    def _of(self, sort: str, place: int) -> object:
        if sort == "g":
            return f"program_{self.number}_{place}"
        of_sort: dict[str, Sequence[object]] = {
            "a": self.articles,
            "d": self.dossiers,
            "t": self.tags,
            "p": self.authors,
            "s": [self.section],
            "l": LONG_TEXTS,
        }
        return of_sort[sort][place]


class Failed(Exception):
    """What a failing context raises."""


def _save(keys: Keys, pk: int, word: str) -> None:
    for article in Article.objects.filter(pk=pk):
        article.headline, article.body = word or "-", article.body + word
        article.save()


def _set_tags(keys: Keys, pk: int, word: str) -> None:
    for article in Article.objects.filter(pk=pk):
        article.tags.set(keys.tags[len(word) % TAGS :])


def _set_credits(keys: Keys, pk: int, word: str) -> None:
    Credit.objects.filter(article_id=pk).delete()
    if Article.objects.filter(pk=pk).exists():
        Credit.objects.bulk_create(
            [
                Credit(article_id=pk, author_id=author, position=(len(word) + place) % AUTHORS)
                for place, author in enumerate(keys.authors)
            ]
        )


def _update(keys: Keys, pk: int, word: str) -> None:
    Article.objects.filter(pk__in=keys.articles).update(
        standfirst=word, published_at=datetime(2026, 11, 26, tzinfo=UTC)
    )


def _bulk_update(keys: Keys, pk: int, word: str) -> None:
    articles = list(Article.objects.filter(pk__in=keys.articles))
    for article in articles:
        article.headline = f"{word} {article.pk}"
    Article.objects.bulk_update(articles, ["headline"])


def _create(keys: Keys, pk: int, word: str) -> None:
    values = {"headline": word or "-", "slug": f"{pk}-site", "section_id": keys.section}
    Article.objects.update_or_create(pk=pk, defaults=values)


def _delete(keys: Keys, pk: int, word: str) -> None:
    Article.objects.filter(pk=pk).delete()


def _record(keys: Keys, pk: int, word: str) -> None:
    record_save(Article(pk=pk))


ACTS: dict[str, Callable[[Keys, int, str], None]] = {
    "save": _save,
    "set_tags": _set_tags,
    "set_credits": _set_credits,
    "update": _update,
    "bulk_update": _bulk_update,
    "create": _create,
    "delete": _delete,
    "record": _record,
}


class _Session:
    """A session of psycopg, which goes on after errors."""

    def __init__(self, open_session: Callable[[], psycopg.Connection]):
        self._open = open_session
        self._session = open_session()

    def take(self, what: Statement, keys: Keys) -> None:
        if what.copied is None:
            self._session.execute(keys.put_into(what.sql))
            return
        with self._session.cursor().copy(keys.put_into(what.sql)) as copy:
            copy.write(keys.put_into(what.copied))

    def reset(self) -> None:
        try:
            self._session.execute("ROLLBACK")
            self._session.execute("DISCARD TEMP")
            self._session.execute("RESET ALL")
            self._session.execute("RESET SESSION AUTHORIZATION")
        except psycopg.Error:
            self._session.close()
            self._session = self._open()

    def close(self) -> None:
        self._session.close()


class _Site:
    """Django's connection of the thread that it is used in."""

    def take(self, what: Within, keys: Keys) -> None:
        with suppress(Failed), audit_context(actor=Actor("user", what.actor), channel="web"):
            for each in what.inside:
                if isinstance(each, Act):
                    ACTS[each.name](keys, keys.articles[each.article], each.word)
                else:
                    self.take(each, keys)
            if what.fails:
                raise Failed

    def reset(self) -> None:
        pass

    def close(self) -> None:
        connections.close_all()


class _Place:
    """Somebody who takes steps, one at a time, in a thread of their own."""

    def __init__(self, open_player: Callable[[], Any]):
        self._thread = ThreadPoolExecutor(1)
        self._player = self._thread.submit(open_player).result()
        self._step: Future[None] | None = None

    def take(self, what: Statement | Within, keys: Keys) -> BaseException | None:
        """Begin a step when the one before is done; what that failed with."""
        failure = self.finish()
        self._step = self._thread.submit(self._player.take, what, keys)
        wait([self._step], PATIENCE)
        return failure

    def finish(self) -> BaseException | None:
        step, self._step = self._step, None
        return step.exception() if step else None

    def reset(self) -> None:
        self._thread.submit(self._player.reset).result()

    def close(self) -> None:
        self._thread.submit(self._player.close).result()
        self._thread.shutdown()


def _make_dossier(code: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO dossier (code, name, amount) VALUES (%s, 'one', 1.0)", [code])
        cursor.execute("INSERT INTO exhibit (dossier_id, caption, text) VALUES (%s, 'a', 'one')", [code])


class Player(AbstractContextManager["Player"]):
    """Plays programs, each on articles of its own.

    connect: opens a session, in which each statement is a transaction, of the application's role, or the owner's.
    """

    def __init__(self, connect: Callable[[str], psycopg.Connection]):
        self._connect = connect
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Player":
        self._tags = [Tag.objects.create(name=f"tag {n}").pk for n in range(TAGS)]
        self._authors = [Author.objects.create(name=f"author {n}", byline=f"By {n}").pk for n in range(AUTHORS)]
        self._section = Section.objects.create(name="World", slug="world").pk
        self._places = {
            FIRST: _Place(lambda: _Session(lambda: self._connect("default"))),
            SECOND: _Place(lambda: _Session(lambda: self._connect("default"))),
            SITE: _Place(_Site),
            OWNER: _Place(lambda: _Session(lambda: self._connect("owner"))),
        }
        return self

    def __exit__(self, *failure: object) -> None:
        for place in self._places.values():
            place.close()

    def new_keys(self) -> Keys:
        """Keys of a new program: the first and second of its articles are there, the third is not."""
        number = next(self._numbers)
        articles = [number * 10 + place for place in range(ARTICLES)]
        dossiers = [f"{number}/{place}" for place in range(DOSSIERS)]
        with transaction.atomic():
            Article.objects.bulk_create(
                [Article(pk=pk, headline="Bridge", body="Inspectors.", slug=f"{pk}-new") for pk in articles[:2]]
            )
            Article(pk=articles[0]).tags.add(*self._tags[:2])
            Credit.objects.create(article_id=articles[0], author_id=self._authors[0])
            _make_dossier(dossiers[0])
        return Keys(number, articles, dossiers, self._tags, self._authors, self._section)

    def play(self, program: Program, keys: Keys) -> list[BaseException]:
        """What steps failed with; afterwards no transaction is left open."""
        failures = [self._places[step.who].take(step.what, keys) for step in program]
        failures += [place.finish() for place in self._places.values()]
        for place in self._places.values():
            place.reset()
        return [each for each in failures if each is not None]
