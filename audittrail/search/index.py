"""The search index: its alias, its making, and writing events into it, each once.

Readers and writers only know the alias (conf.search_index()); behind it is one index, `<alias>-000001`, then `-000002`,
as rebuilt.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

import orjson
from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError, TransportError
from elasticsearch.dsl import connections

from audittrail import conf
from audittrail.search.documents import EventDocument, document_id

BULK_BYTES = 8 * 1024 * 1024
"""A bulk request is sent when it has reached this size: Elasticsearch refuses 100 MB, and is quickest around ten."""

_ANSWERS = ",".join(
    f"items.create.{part}" for part in ("_id", "status", "error.type", "error.reason", "error.caused_by.reason")
)
_LOOKUP = 1000
_NOT_NOW = (401, 403, 429)


class SearchUnavailable(Exception):
    """Elasticsearch is away, overloaded, or does not take writes now; the text says which. To be tried again later."""


class Fate(Enum):
    """What became of a document that was to be created."""

    CREATED = "created"
    EXISTS = "exists"
    REFUSED = "refused"


class Result(NamedTuple):
    fate: Fate
    detail: str = ""


def client() -> Elasticsearch:
    """django-elasticsearch-dsl's own connection."""
    return connections.get_connection()


@contextmanager
def available() -> Iterator[None]:
    """Turns whatever says "not now" into SearchUnavailable; any other error is one of the request, and passes."""
    try:
        yield
    except TransportError as error:
        raise SearchUnavailable(
            f"Elasticsearch at {conf.elasticsearch_url()} does not answer ({type(error).__name__})."
        ) from error
    except NotFoundError as error:
        raise SearchUnavailable(
            f"There is no search index {conf.search_index()} yet: the search sink makes it when it starts."
        ) from error
    except ApiError as error:
        if error.status_code not in _NOT_NOW and error.status_code < 500:
            raise
        raise SearchUnavailable(f"Elasticsearch answers {error.status_code}: {error.message}.") from error


def ensure_index() -> None:
    """Make the first index, with its alias, unless there is one. Raises SearchUnavailable."""
    with available():
        if not client().indices.exists_alias(name=conf.search_index()):
            create(f"{conf.search_index()}-000001", aliases={conf.search_index(): {"is_write_index": True}})


def create(name: str, aliases: dict | None = None) -> None:
    """Make an index of the current mapping; one that another process has just made will do."""
    definition = EventDocument._index.to_dict()
    try:
        client().indices.create(
            index=name, mappings=definition["mappings"], settings=definition["settings"], aliases=aliases
        )
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise


def current() -> str:
    """The index behind the alias. Raises SearchUnavailable."""
    with available():
        (name,) = client().indices.get_alias(name=conf.search_index())
    return name


def write(documents: Sequence[dict], index: str | None = None) -> list[Result]:
    """Create documents under their article and sequence; never overwrites. One result for each, in order.

    `index`: one other than that behind the alias. Raises SearchUnavailable, some documents then being written: the same
    call again completes it.
    """
    results: list[Result] = []
    for operations in _requests(documents):
        with available():
            answer = client().bulk(
                operations=operations,
                index=index or conf.search_index(),
                require_alias=index is None,
                filter_path=_ANSWERS,
            )
        results.extend(_result(item["create"]) for item in answer["items"])
    return results


def _requests(documents: Iterable[dict]) -> Iterator[list[bytes]]:
    operations, size = [], 0
    for document in documents:
        header = {"create": {"_id": document_id(document["article_id"], document["sequence"])}}
        lines = [orjson.dumps(header), orjson.dumps(document)]
        operations += lines
        size += sum(map(len, lines))
        if size >= BULK_BYTES:
            yield operations
            operations, size = [], 0
    if operations:
        yield operations


def _result(item: dict) -> Result:
    status, error = item["status"], item.get("error", {})
    if status in (200, 201):
        return Result(Fate.CREATED)
    if status == 409:
        return Result(Fate.EXISTS)
    detail = ": ".join(filter(None, [error.get("type"), error.get("reason"), error.get("caused_by", {}).get("reason")]))
    if status == 400:
        return Result(Fate.REFUSED, detail)
    raise SearchUnavailable(f"Elasticsearch does not take event {item['_id']} now ({status}: {detail}).")


def stored(keys: Iterable[tuple[str, int]], fields: Sequence[str]) -> dict[tuple[str, int], dict]:
    """Some fields of the documents of these articles and sequences, as of this moment, refreshed or not. Raises
    SearchUnavailable.
    """
    found: dict[tuple[str, int], dict] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _LOOKUP):
        some = wanted[start : start + _LOOKUP]
        with available():
            answer = client().mget(
                index=conf.search_index(), ids=[document_id(*key) for key in some], source_includes=list(fields)
            )
        found |= {key: item["_source"] for key, item in zip(some, answer["docs"], strict=True) if item.get("found")}
    return found
