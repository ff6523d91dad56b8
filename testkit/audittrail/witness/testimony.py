"""Articles as the log of changes shows them, and as the events do: where the two differ, capture has failed."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from psycopg.adapt import Transformer
from psycopg.pq import Format

from audittrail.capture.outbox_rows import OutboxRow, event_of
from audittrail.events.event import EventActor
from audittrail.integrity.chain import Chain
from testkit.audittrail.witness.change_log import Committed, Row, RowChange

OUTBOX = "audittrail_outboxevent"

Article = dict[str, str | list[str] | None]
"""Tracked field → its value as events have it; empty for an article that does not exist."""


class Related(NamedTuple):
    """A table whose rows belong to an article: columns of its key, of what is recorded of them, and of what orders
    them; values: of these rows' own, by field.
    """

    table: str
    owner: str
    value: str
    order: tuple[str, ...]
    values: Mapping[str, str] = {}


@dataclass(frozen=True)
class Kind:
    """What is tracked of a kind of article; said here again, as a witness does not ask whom it watches.

    columns: of the fields; times: those of them whose values are times; key: the column of the primary key.
    """

    name: str
    table: str
    columns: Mapping[str, str]
    times: Collection[str] = ()
    related: Mapping[str, Related] = field(default_factory=dict)
    key: str = "id"

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
        self._own: dict[str | None, Row] = {}
        self._related: dict[tuple[str, str | None], dict[str | None, Row]] = defaultdict(dict)

    def apply(self, change: RowChange) -> set[str]:
        """Take a change in; the identities of the articles that it belongs to."""
        relation, touched = self._relation(change.table), set()
        for row, is_there in ((change.before, False), (change.after, True)):
            if row is None:
                continue
            owner = row[self._kind.key if relation is None else self._kind.related[relation].owner]
            rows = self._own if relation is None else self._related[relation, owner]
            key = row[self._kind.key if relation is None else "id"]
            if is_there:
                rows[key] = row
            else:
                rows.pop(key, None)
            if owner is not None:
                touched.add(f"{self._kind.name}:{owner}")
        return touched

    def article(self, pk: str) -> Article:
        row = self._own.get(pk)
        if row is None:
            return {}
        found: Article = {name: self._canonical(name, row[column]) for name, column in self._kind.columns.items()}
        for name, related in self._kind.related.items():
            rows = self._ordered(name, related, pk)
            found[name] = [value for each in rows if (value := each[related.value]) is not None]
            found |= {
                f"{name}/{each['id']}/{own}": each[column] for each in rows for own, column in related.values.items()
            }
        return found

    def _relation(self, table: str) -> str | None:
        """The relation whose table it is, None for the articles' own."""
        return next((name for name, related in self._kind.related.items() if related.table == table), None)

    def _canonical(self, name: str, value: str | None) -> str | None:
        return _instant(value) if value is not None and name in self._kind.times else value

    def _ordered(self, name: str, related: Related, pk: str) -> list[Row]:
        rows = self._related[name, pk].values()
        return sorted(rows, key=lambda row: [int(row[column] or 0) for column in related.order])


_INSTANT = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?")


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

    kinds: Sequence[Kind]
    saves_asked_for: set[str] = field(default_factory=set)
    transactions: int = 0
    changes: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        self._rows = {kind.name: Rows(kind) for kind in self.kinds}
        self._kind_of = {table: kind.name for kind in self.kinds for table in kind.tables}
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
                touched |= self._rows[self._kind_of[change.table]].apply(change)
            elif change.operation != "insert" or change.after is None:
                yield Finding((change.before or {}).get("article_id") or "", "altered: an event that was there before")
            elif change.after["kind"] in self._rows:
                self.events += 1
                yield from self._event(change.after)
        self.transactions += bool(touched)
        for article_id in sorted(touched):
            captured, live = _captured(self._chain(article_id)), self._live(article_id)
            for name in _differing(captured, live):
                yield Finding(article_id, f"escaped: {name} is {_short(live, name)}, captured {_short(captured, name)}")

    def _event(self, row: Row) -> Iterator[Finding]:
        event = event_of(_outbox_row(row))
        article_id, chain = event["article_id"], self._chain(event["article_id"])
        before = _captured(chain)
        if event["actor"] == NOBODY:
            yield Finding(article_id, f"untrue: event {event['sequence']} tells of a change that no trigger saw")
        for each in chain.feed(event):
            yield Finding(article_id, f"chain: {each.kind} at sequence {each.sequence}, {each.detail}")
        after, live = _captured(chain), self._live(article_id)
        changed = _differing(before, after)
        if not changed and article_id not in self.saves_asked_for:
            yield Finding(article_id, f"unfounded: event {event['sequence']} ({event['operation']}) changes nothing")
        # Inside a transaction, even inside a statement, other fields may have changed of which an event is to come.
        for name in set(changed) & set(_differing(after, live)):
            told = f"{name} is {_short(live, name)}, in the event {_short(after, name)}"
            yield Finding(article_id, f"untrue: event {event['sequence']}: {told}")

    def _live(self, article_id: str) -> Article:
        kind, _, pk = article_id.partition(":")
        return self._rows[kind].article(pk)

    def _chain(self, article_id: str) -> Chain:
        return self._chains.setdefault(article_id, Chain(article_id))


def _captured(chain: Chain) -> Article:
    return {**chain.state.values, **chain.state.relations} if chain.state else {}


def _differing(one: Article, other: Article) -> list[str]:
    return [name for name in {**one, **other} if one.get(name, "absent") != other.get(name, "absent")]


def _short(article: Article, name: str) -> str:
    return f"{article.get(name, 'absent')!r:.80}"


NOBODY: EventActor = {"type": "unknown", "id": None, "version": None, "snapshot": None}
"""Whom events name where something was changed behind capture's back."""


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
