"""What database and index lack of the events that articles have, as StageSpec.missing says it.

Each holds one row or document for each sequence, so counting them up to the last one is enough.
"""

from collections.abc import Callable, Iterator, Mapping

from django.db import connections

from audittrail.search import index
from audittrail.search.index import SearchUnavailable
from consumers.errors import NotReady

ARTICLES_AT_ONCE = 500

_IN_DATABASE = """
SELECT wanted.article_id, (SELECT count(*) FROM audittrail_auditevent e
                           WHERE e.article_id = wanted.article_id AND e.sequence <= wanted.sequence)
FROM unnest(%s::text[], %s::bigint[]) AS wanted (article_id, sequence)"""

Heads = Mapping[str, int]
"""Article → its last sequence."""


def missing_in_database(heads: Heads) -> dict[str, int]:
    """Raises django.db.OperationalError."""
    return _missing(heads, _in_database)


def missing_in_index(heads: Heads) -> dict[str, int]:
    """Raises NotReady."""
    if not heads:
        return {}
    try:
        index.refresh()
        return _missing(heads, _in_index)
    except SearchUnavailable as error:
        raise NotReady(str(error)) from error


def _missing(heads: Heads, count: Callable[[Heads], Iterator[tuple[str, int]]]) -> dict[str, int]:
    articles = list(heads)
    missing: dict[str, int] = {}
    for start in range(0, len(articles), ARTICLES_AT_ONCE):
        asked = {article: heads[article] for article in articles[start : start + ARTICLES_AT_ONCE]}
        missing |= {article: asked[article] - found for article, found in count(asked) if found < asked[article]}
    return missing


def _in_database(heads: Heads) -> Iterator[tuple[str, int]]:
    with connections["pipeline"].cursor() as cursor:
        cursor.execute(_IN_DATABASE, [list(heads), list(heads.values())])
        yield from cursor.fetchall()


def _in_index(heads: Heads) -> Iterator[tuple[str, int]]:
    filters = {
        article: {"bool": {"filter": [{"term": {"article_id": article}}, {"range": {"sequence": {"lte": sequence}}}]}}
        for article, sequence in heads.items()
    }
    yield from index.counts_by(filters).items()
