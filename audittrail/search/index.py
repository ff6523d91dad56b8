"""The search index: the one module that talks to Elasticsearch.

Readers and writers only know the alias (conf.search_index()); behind it is one index, `<alias>-000001`, then `-000002`,
as rebuilt. Functions that take a `name` mean that index, or without it the one behind the alias. Each raises
SearchUnavailable while Elasticsearch is away, overloaded, or does not take writes, or while there is no index; any
other error is one of the request, and passes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

import orjson
from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError, TransportError
from elasticsearch.dsl import connections

from audittrail import conf
from audittrail.env.addresses import without_credentials
from audittrail.events.event import EventKey
from audittrail.search.documents import EventDocument, document_id

BULK_BYTES = 8 * 1024 * 1024
"""A bulk request is sent when it has reached this size: Elasticsearch refuses 100 MB, and is quickest around ten."""

SCAN_PAGE = 2000
"""Documents that a scan fetches at a time."""

Document = dict[str, Any]  # Any: JSON
"""A document as the index gives it, or some of its fields: what was written is a documents.IndexedDocument."""
IndexQuery = dict[str, Any]
"""A query in Elasticsearch's language."""

_ANSWER_PARTS = ("_id", "status", "error.type", "error.reason", "error.caused_by.reason")
_LOOKUP = 1000
_NOT_NOW = (401, 403, 429)
# Longer than the processing of a page takes.
_SCAN_KEPT = "5m"


class SearchUnavailable(Exception):
    """Elasticsearch is away, overloaded, or does not take writes now; the text says which. To be tried again later."""


class Fate(Enum):
    """What became of a document that was to be written."""

    CREATED = "created"
    OVERWRITTEN = "overwritten"
    EXISTS = "exists"
    REFUSED = "refused"


class Result(NamedTuple):
    """What became of one document; `detail`: why it was refused."""

    fate: Fate
    detail: str = ""


class Found(NamedTuple):
    """A document that a scan found, with the id it stands under."""

    id: str
    document: Document


def client() -> Elasticsearch:
    """django-elasticsearch-dsl's own connection."""
    connection: Elasticsearch = connections.get_connection()
    return connection


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raises whatever says "not now" as SearchUnavailable."""
    try:
        yield
    except TransportError as error:
        address = without_credentials(conf.elasticsearch_url())
        raise SearchUnavailable(f"Elasticsearch at {address} does not answer ({type(error).__name__}).") from error
    except NotFoundError as error:
        raise SearchUnavailable(
            f"There is no search index {conf.search_index()} yet: the search sink makes it when it starts."
        ) from error
    except ApiError as error:
        if error.status_code not in _NOT_NOW and error.status_code < 500:
            raise
        raise SearchUnavailable(f"Elasticsearch answers {error.status_code}: {error.message}.") from error


def ensure_index() -> None:
    """Make the first index, with its alias, unless there is one."""
    with _translated_errors():
        exists = client().indices.exists_alias(name=conf.search_index())
    if not exists:
        create(f"{conf.search_index()}-000001", aliases={conf.search_index(): {"is_write_index": True}})


def create(name: str, aliases: dict[str, dict[str, bool]] | None = None) -> None:
    """Make an index of the current mapping; one that another process has just made will do."""
    definition = EventDocument._index.to_dict()
    try:
        with _translated_errors():
            client().indices.create(
                index=name, mappings=definition["mappings"], settings=definition["settings"], aliases=aliases
            )
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise


def drop(name: str) -> None:
    """Delete an index, if there is one of that name."""
    with _translated_errors():
        client().indices.delete(index=name, ignore_unavailable=True)


def current() -> str:
    """The index behind the alias."""
    with _translated_errors():
        (name,) = client().indices.get_alias(name=conf.search_index())
    return name


def names() -> list[str]:
    """All indexes of the trail, that behind the alias and others."""
    with _translated_errors():
        return sorted(client().indices.get(index=f"{conf.search_index()}-*", features="aliases"))


def move_alias(old: str, new: str) -> None:
    """Put an index behind the alias in place of another, in one step."""
    add = {"add": {"index": new, "alias": conf.search_index(), "is_write_index": True}}
    remove = {"remove": {"index": old, "alias": conf.search_index()}}
    with _translated_errors():
        client().indices.update_aliases(actions=[add, remove])


def block_writes(name: str) -> None:
    """Have an index refuse writes: these raise SearchUnavailable then."""
    _set_write_block(name, True)


def allow_writes(name: str) -> None:
    """Have an index take writes again."""
    _set_write_block(name, None)


def _set_write_block(name: str, blocked: bool | None) -> None:
    with _translated_errors():
        client().indices.put_settings(index=name, settings={"index.blocks.write": blocked})


def newest_write(name: str) -> int:
    """The number of the newest write that every shard has reached. Elasticsearch counts writes; clocks of writers may
    be late.
    """
    with _translated_errors():
        stats = client().indices.stats(index=name, level="shards", filter_path="indices.*.shards.*.seq_no")
    copies = (copy for copies in stats["indices"][name]["shards"].values() for copy in copies)
    return min(int(copy["seq_no"]["max_seq_no"]) for copy in copies)


def refresh(name: str | None = None) -> None:
    """Make what is written findable at once."""
    with _translated_errors():
        client().indices.refresh(index=name or conf.search_index())


def count(name: str | None = None) -> int:
    """How many documents can be found."""
    with _translated_errors():
        return int(client().count(index=name or conf.search_index())["count"])


def counts_by(queries: Mapping[str, IndexQuery]) -> dict[str, int]:
    """How many documents each of some queries finds, by the names that the queries have here."""
    answer = search(size=0, aggs={"named": {"filters": {"filters": dict(queries)}}})
    return {name: bucket["doc_count"] for name, bucket in answer["aggregations"]["named"]["buckets"].items()}


def search(**request: Any) -> Mapping[str, Any]:  # Any: JSON
    """The answer to a request of Elasticsearch's search API."""
    with _translated_errors():
        answer: Mapping[str, Any] = client().search(index=conf.search_index(), **request).body
    return answer


def scan(query: IndexQuery, *, name: str | None = None, with_documents: bool = True) -> Iterator[list[Found]]:
    """Everything that matches, a page at a time, as of now: refreshed first, whatever is written meanwhile.

    `with_documents`: False for the ids alone, the documents then being empty.
    """
    refresh(name)
    with _translated_errors():
        pit = client().open_point_in_time(index=name or conf.search_index(), keep_alive=_SCAN_KEPT)["id"]
    after = None
    while True:
        with _translated_errors():
            answer = client().search(
                pit={"id": pit, "keep_alive": _SCAN_KEPT},
                query=query,
                sort=["_shard_doc"],
                search_after=after,
                size=SCAN_PAGE,
                source=with_documents,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
        if not (hits := answer["hits"]["hits"]):
            break
        yield [Found(hit["_id"], hit.get("_source", {})) for hit in hits]
        pit, after = answer["pit_id"], hits[-1]["sort"]
    # That of a scan that is not read to its end expires by itself.
    with _translated_errors():
        client().close_point_in_time(id=pit)


def write(documents: Iterable[Mapping[str, Any]], name: str | None = None) -> list[Result]:
    """Create documents under their article and sequence; never overwrites. One result for each, in order.

    Raises SearchUnavailable, some documents then being written: the same call again completes it.
    """
    return _bulk("create", documents, name)


def overwrite(documents: Iterable[Mapping[str, Any]]) -> list[Result]:
    """Write documents under their article and sequence, whatever stands there. Results and errors as of `write`."""
    return _bulk("index", documents, None)


def _bulk(operation: str, documents: Iterable[Mapping[str, Any]], name: str | None) -> list[Result]:
    results: list[Result] = []
    wanted = ",".join(f"items.{operation}.{part}" for part in _ANSWER_PARTS)
    for operations in _requests(operation, documents):
        with _translated_errors():
            answer = client().bulk(
                operations=operations,  # type: ignore[arg-type]  # lines of JSON are sent as they are
                index=name or conf.search_index(),
                require_alias=name is None,
                filter_path=wanted,
            )
        results.extend(_result(item[operation]) for item in answer["items"])
    return results


def _requests(operation: str, documents: Iterable[Mapping[str, Any]]) -> Iterator[list[bytes]]:
    operations: list[bytes] = []
    size = 0
    for document in documents:
        header = {operation: {"_id": document_id(document["article_id"], document["sequence"])}}
        lines = [orjson.dumps(header), orjson.dumps(document)]
        operations += lines
        size += sum(map(len, lines))
        if size >= BULK_BYTES:
            yield operations
            operations, size = [], 0
    if operations:
        yield operations


_FATES = {200: Fate.OVERWRITTEN, 201: Fate.CREATED, 409: Fate.EXISTS}


def _result(item: dict[str, Any]) -> Result:  # Any: JSON
    status, error = item["status"], item.get("error", {})
    if status in _FATES:
        return Result(_FATES[status])
    detail = ": ".join(filter(None, [error.get("type"), error.get("reason"), error.get("caused_by", {}).get("reason")]))
    if status == 400:
        return Result(Fate.REFUSED, detail)
    raise SearchUnavailable(f"Elasticsearch does not take event {item['_id']} now ({status}: {detail}).")


def stored(keys: Iterable[EventKey], fields: Sequence[str]) -> dict[EventKey, Document]:
    """Some fields of the documents of these articles and sequences, as of this moment, refreshed or not."""
    wanted = list(keys)
    found: dict[EventKey, Document] = {}
    for start in range(0, len(wanted), _LOOKUP):
        some = wanted[start : start + _LOOKUP]
        items = _got([document_id(*key) for key in some], None, source_includes=list(fields))
        found |= {key: item["_source"] for key, item in zip(some, items, strict=True) if item.get("found")}
    return found


def absent(ids: Sequence[str], name: str) -> list[str]:
    """Those of some ids of documents that are not in an index, as of this moment, refreshed or not."""
    items: list[dict[str, Any]] = []  # Any: JSON
    for start in range(0, len(ids), _LOOKUP):
        items += _got(ids[start : start + _LOOKUP], name, source=False)
    return [item["_id"] for item in items if not item.get("found")]


def _got(ids: Sequence[str], name: str | None, **options: Any) -> list[dict[str, Any]]:  # Any: JSON
    with _translated_errors():
        items: list[dict[str, Any]] = client().mget(index=name or conf.search_index(), ids=ids, **options)["docs"]
    return items
