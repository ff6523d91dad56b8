"""Whether everything saved by a moment has arrived everywhere, by criteria that a store meets only if it has the
events.

- relay: no committed outbox row of that time is unpublished;
- database: each article has as many events up to its head's sequence as that sequence says (one row for each sequence);
- search: the same, counted in the index (one document for each sequence), after a refresh;
- archive: see consumers.operations.pipeline_position, begun once the relay has published.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import Max

from audittrail.models import Head, OutboxEvent
from audittrail.outbox import OutboxQuerySet
from audittrail.search import index
from consumers.kafka import clients
from consumers.operations.pipeline_position import Passage

ARTICLES_AT_ONCE = 500

_IN_DATABASE = """
SELECT wanted.article_id, (SELECT count(*) FROM audittrail_auditevent e
                           WHERE e.article_id = wanted.article_id AND e.sequence <= wanted.sequence)
FROM unnest(%s::text[], %s::bigint[]) AS wanted (article_id, sequence)"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What was saved by a moment: each article's last sequence, and the last outbox row."""

    heads: dict[str, int]
    last_row: int

    @property
    def events(self) -> int:
        return sum(self.heads.values())


def goal(using: str = "pipeline") -> Goal:
    """What is saved now."""
    last_row = OutboxEvent.objects.using(using).aggregate(last=Max("id"))["last"] or 0
    return Goal(dict(Head.objects.using(using).values_list("article_id", "sequence")), last_row)


class Store:
    """Counts what a store still lacks, asking again only for articles that were incomplete."""

    def __init__(self, heads: dict[str, int]):
        self.lacking = dict(heads)
        """Article → events not yet found."""
        self._heads = heads

    def look(self) -> int:
        """Events still missing."""
        articles = list(self.lacking)
        for start in range(0, len(articles), ARTICLES_AT_ONCE):
            asked = {article: self._heads[article] for article in articles[start : start + ARTICLES_AT_ONCE]}
            for article, count in self._counts(asked):
                self.lacking[article] = self._heads[article] - count
        self.lacking = {article: missing for article, missing in self.lacking.items() if missing > 0}
        return sum(self.lacking.values())

    def _counts(self, heads: dict[str, int]) -> Iterator[tuple[str, int]]:
        """Events of each article up to a sequence."""
        raise NotImplementedError


class InDatabase(Store):
    """Raises django.db.OperationalError."""

    def _counts(self, heads: dict[str, int]) -> Iterator[tuple[str, int]]:
        with connections["pipeline"].cursor() as cursor:
            cursor.execute(_IN_DATABASE, [list(heads), list(heads.values())])
            yield from cursor.fetchall()


class InIndex(Store):
    """Raises audittrail.search.index.SearchUnavailable."""

    def look(self) -> int:
        if self.lacking:
            index.refresh()
        return super().look()

    def _counts(self, heads: dict[str, int]) -> Iterator[tuple[str, int]]:
        filters = {
            article: {
                "bool": {"filter": [{"term": {"article_id": article}}, {"range": {"sequence": {"lte": sequence}}}]}
            }
            for article, sequence in heads.items()
        }
        yield from index.counts_by(filters).items()


@dataclass(slots=True)
class Missing:
    """What is still under way to each place, in events; None where that cannot be told yet."""

    relay: int | None = None
    database: int | None = None
    search: int | None = None
    archive: int | None = None

    @property
    def nothing(self) -> bool:
        return (self.relay, self.database, self.search, self.archive) == (0, 0, 0, 0)


@dataclass(slots=True)
class Watch:
    """Looks, as often as asked, what of a goal is still under way."""

    goal: Goal
    missing: Missing = field(default_factory=Missing)
    database: InDatabase = field(init=False)
    search: InIndex = field(init=False)
    _passage: Passage | None = None

    def __post_init__(self):
        self.database, self.search = InDatabase(self.goal.heads), InIndex(self.goal.heads)

    def look(self) -> Missing:
        """Raises what the stores raise when they are away; ask again then."""
        self.missing.relay = self._rows().pending().count()
        self.missing.database = self.database.look()
        self.missing.search = self.search.look()
        if self.missing.relay == 0:
            self._passage = self._passage or Passage(clients.admin())
            self.missing.archive = self._passage.before_archive()
        return self.missing

    def set_aside(self) -> int:
        """Events that violate the contract and wait for somebody to release them."""
        return self._rows().set_aside().count()

    def _rows(self) -> OutboxQuerySet:
        return OutboxEvent.objects.using("pipeline").filter(id__lte=self.goal.last_row)
