"""Articles as the log of changes shows them, and as the events do: where the two differ, capture has failed."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from psycopg.adapt import Transformer
from psycopg.pq import Format

from audittrail.capture.outbox_rows import OutboxRow, event_of
from audittrail.integrity.chain import Chain
from testkit.audittrail.witness.change_log import Committed, Row, RowChange

OUTBOX = "audittrail_outboxevent"

Article = dict[str, str | list[str] | None]
"""Tracked field → its value as events have it; empty for an article that does not exist."""


class Related(NamedTuple):
    """A table whose rows belong to an article: columns of its key, of what is recorded, and of what orders them."""

    table: str
    owner: str
    value: str
    order: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """What is tracked of a kind of article; said here again, as a witness does not ask whom it watches."""

    name: str
    table: str
    columns: Mapping[str, str]
    times: Collection[str] = ()
    related: Mapping[str, Related] = field(default_factory=dict)

    @property
    def tables(self) -> list[str]:
        return [self.table, *(each.table for each in self.related.values())]


ARTICLE = Kind(
    "newsroom.article",
    "newsroom_article",
    {
        **{
            name: name
            for name in (
                "headline", "slug", "status", "published_at", "body_format", "source_path", "source_status",
                "standfirst", "body",
            )
        },
        "section": "section_id",
    },
    times=("published_at",),
    related={
        "tags": Related("newsroom_article_tags", "article_id", "tag_id", ("tag_id",)),
        "credits": Related("newsroom_credit", "article_id", "author_id", ("position", "author_id")),
    },
)  # fmt: skip


class Rows:
    """The rows of a kind's tables, as far as the log has shown them."""

    def __init__(self, kind: Kind):
        self._kind = kind
        self._own: dict[str, Row] = {}
        self._related: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)

    def apply(self, change: RowChange) -> set[str]:
        """Take a change in; the keys of the articles that it belongs to."""
        place, touched = self._place(change.table), set()
        if change.before:
            self._rows(place, change.before).pop(_key(change.before), None)
            touched.add(self._owner(place, change.before))
        if change.after:
            self._rows(place, change.after)[_key(change.after)] = change.after
            touched.add(self._owner(place, change.after))
        return touched

    def article(self, pk: str) -> Article:
        row = self._own.get(pk)
        if row is None:
            return {}
        values = {name: self._canonical(name, row[column]) for name, column in self._kind.columns.items()}
        return {**values, **{name: self._identities(name, pk) for name in self._kind.related}}

    def _place(self, table: str) -> str | None:
        """The relation whose table it is, None for the articles' own."""
        return next((name for name, related in self._kind.related.items() if related.table == table), None)

    def _owner(self, place: str | None, row: Row) -> str:
        return _key(row) if place is None else cast(str, row[self._kind.related[place].owner])

    def _rows(self, place: str | None, row: Row) -> dict[str, Row]:
        return self._own if place is None else self._related[place, self._owner(place, row)]

    def _canonical(self, name: str, value: str | None) -> str | None:
        return _instant(value) if value is not None and name in self._kind.times else value

    def _identities(self, name: str, pk: str) -> list[str]:
        related = self._kind.related[name]
        rows = sorted(
            self._related[name, pk].values(), key=lambda row: [int(cast(str, row[column])) for column in related.order]
        )
        return [value for row in rows if (value := row[related.value]) is not None]


def _key(row: Row) -> str:
    return cast(str, row["id"])


_INSTANT = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00")


def _instant(text: str) -> str:
    """A time as events have it; infinite and before our era as PostgreSQL writes it."""
    found = _INSTANT.fullmatch(text)
    return f"{found[1]}T{found[2]}.{(found[3] or '').ljust(6, '0')}Z" if found else text


class Finding(NamedTuple):
    """Where log and events differ."""

    article_id: str
    what: str


@dataclass
class Testimony:
    """Compares what was committed with the events committed with it.

    saves_asked_for: articles of which the programs asked to record a save that changes nothing.
    """

    kind: Kind
    saves_asked_for: set[str] = field(default_factory=set)
    transactions: int = 0
    changes: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        self._rows = Rows(self.kind)
        self._chains: dict[str, Chain] = {}

    def hear(self, log: Iterable[Committed]) -> list[Finding]:
        """Take transactions in, in the order of their commits; what is wrong with them."""
        return [finding for transaction in log for finding in self._transaction(transaction)]

    def forget(self) -> None:
        """The articles so far are not changed any more."""
        self.__post_init__()

    def _transaction(self, transaction: Committed) -> Iterator[Finding]:
        touched: set[str] = set()
        for change in transaction.changes:
            if change.table != OUTBOX:
                self.changes += 1
                touched |= self._rows.apply(change)
            elif change.operation != "insert" or change.after is None:
                yield Finding((change.before or {}).get("article_id") or "", "altered: an event that was there before")
            elif change.after["kind"] == self.kind.name:
                self.events += 1
                yield from self._event(change.after)
        self.transactions += bool(touched)
        for pk in sorted(touched):
            article_id = f"{self.kind.name}:{pk}"
            captured, live = _captured(self._chain(article_id)), self._rows.article(pk)
            for name in _differing(captured, live):
                yield Finding(article_id, f"escaped: {name} is {_short(live, name)}, captured {_short(captured, name)}")

    def _event(self, row: Row) -> Iterator[Finding]:
        event = event_of(_outbox_row(row))
        article_id, chain = event["article_id"], self._chain(event["article_id"])
        before = _captured(chain)
        for each in chain.feed(event):
            yield Finding(article_id, f"chain: {each.kind} at sequence {each.sequence}, {each.detail}")
        after, live = _captured(chain), self._rows.article(article_id.partition(":")[2])
        changed = _differing(before, after)
        if not changed and article_id not in self.saves_asked_for:
            yield Finding(article_id, f"unfounded: event {event['sequence']} ({event['operation']}) changes nothing")
        # Inside a transaction, even inside a statement, other fields may have changed of which an event is to come.
        for name in set(changed) & set(_differing(after, live)):
            told = f"{name} is {_short(live, name)}, in the event {_short(after, name)}"
            yield Finding(article_id, f"untrue: event {event['sequence']}: {told}")

    def _chain(self, article_id: str) -> Chain:
        return self._chains.setdefault(article_id, Chain(article_id))


def _captured(chain: Chain) -> Article:
    return {**chain.state.values, **chain.state.relations} if chain.state else {}


def _differing(one: Article, other: Article) -> list[str]:
    return [name for name in {**one, **other} if one.get(name, "absent") != other.get(name, "absent")]


def _short(article: Article, name: str) -> str:
    return f"{article.get(name, 'absent')!r:.80}"


# Columns of the outbox whose values are no texts; JSON is read as text.
_TYPES = {
    "uuid": ("event_id",),
    "bool": ("keyframe",),
    "int8": ("id", "sequence", "slot", "actor_version"),
    "timestamptz": ("occurred_at", "recorded_at", "published_at"),
    "bytea": ("salt", "state_digest", "previous_hash", "hash"),
    "_text": ("text_fields", "texts_before", "texts_after"),
}
_OIDS = {"uuid": 2950, "bool": 16, "int8": 20, "timestamptz": 1184, "bytea": 17, "_text": 1009}
_OID_OF = {name: _OIDS[kind] for kind, names in _TYPES.items() for name in names}


def _outbox_row(row: Row) -> OutboxRow:
    """A row of the outbox in the log, as the trail reads it from the table."""
    transformer = Transformer()
    transformer.set_loader_types(list(_OID_OF.values()), Format.TEXT)
    texts = [None if (value := row[name]) is None else value.encode() for name in _OID_OF]
    return cast(OutboxRow, {**row, **dict(zip(_OID_OF, transformer.load_sequence(texts), strict=True))})
