"""Documents a second into the search index: our write, and elasticsearch's own bulk helper with the same documents; and
searches.

python -m benchmarks.bench_search
"""

import os
import time
import uuid

os.environ["AUDIT_PREFIX"] = f"bench{uuid.uuid4().hex[:6]}-"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
os.environ.setdefault("LOG_LEVEL", "WARNING")

import django

django.setup()

from elasticsearch.helpers import bulk

from audittrail import conf
from audittrail.events.event import EnrichedEvent
from audittrail.search import documents, index, queries
from benchmarks.bench_codec import event

EVENTS, BATCH, ROUNDS = 20_000, 2000, 3
QUERIES = ("", "removed:alleged", 'inserted:"suspected 77"', "actor:kim -action:published suspected")


def events() -> list[EnrichedEvent]:
    """Distinct in article and sequence."""
    return [event(number) for number in range(EVENTS)]


def timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(name: str, built: list[dict]) -> None:
    for start in range(0, EVENTS, BATCH):
        index.write(built[start : start + BATCH], name)


def helper(name: str, built: list[dict]) -> None:
    actions = (
        {"_op_type": "create", "_index": name, "_id": f"{each['article_id']}:{each['sequence']}", "_source": each}
        for each in built
    )
    bulk(index.client(), actions, chunk_size=BATCH)


def main() -> None:
    originals = events()
    built: list[dict] = []
    seconds = timed(
        lambda: built.extend(documents.source(each) | {"indexed_at": documents.now()} for each in originals)
    )
    print(f"documents built           {EVENTS / seconds:>10,.0f} a second")
    names: list[str] = []
    for label, write in (("audittrail.search.index.write", ours), ("elasticsearch.helpers.bulk", helper)):
        best = 0.0
        for _ in range(ROUNDS):
            names.append(f"{conf.search_index()}-{len(names) + 1:06d}")
            index.create(names[-1])
            best = max(best, EVENTS / timed(lambda write=write: write(names[-1], built)))
        print(f"{label:<26}{best:>10,.0f} a second")
    again = timed(lambda: ours(names[0], built))
    print(f"the same again (all exist){EVENTS / again:>10,.0f} a second")
    index.client().indices.refresh(index=names[0])
    index.client().indices.put_alias(index=names[0], name=conf.search_index())
    for query in QUERIES:
        queries.search(query)
        print(
            f"search {query!r:<42}"
            f"{timed(lambda query=query: [queries.search(query) for _ in range(20)]) / 20 * 1000:>7.1f} ms"
        )
    for name in names:
        index.client().indices.delete(index=name)


if __name__ == "__main__":
    main()
