"""What is in each place, read without any of the project's code: Kafka, PostgreSQL, Elasticsearch, and the archive by
DuckDB.
"""

import json
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import duckdb
import fastavro
import psycopg
import requests
from confluent_kafka import Consumer, Message, TopicPartition
from fastavro.types import Schema
from psycopg.rows import dict_row

from testkit.faults.ledger import digest
from testkit.faults.trail import Trail

PAGE = 5000
SECONDS = 30


@dataclass(slots=True)
class Event:
    """An event as found. `place`: partition and offset; `previous` and `hash` in hexadecimal where the place has
    them.
    """

    article: str
    sequence: int
    hash: str
    title: str
    previous: str | None = None
    place: tuple[int, int] | None = None
    content: dict[str, Any] | None = None
    """Operation, changes and keyframe; None where the place does not hold them."""


Read = Callable[[Trail], Iterator[Event]]


def topic(name: str) -> Read:
    """Reads a topic of the trail, `raw` or `enriched`, as a read_committed reader gets it."""
    return lambda trail: _messages(trail, getattr(trail, name))


def rows(trail: Trail) -> Iterator[Event]:
    """The rows of the database."""
    with psycopg.connect(**trail.superuser, row_factory=dict_row) as connection, connection.cursor("rows") as cursor:
        for row in cursor.execute("SELECT * FROM audittrail_auditevent"):
            yield _event(row)


def documents(trail: Trail) -> Iterator[Event]:
    """The documents of the index."""
    index = f"{trail.addresses.elasticsearch_url}/{trail.prefix}audit-events"
    requests.post(f"{index}/_refresh", timeout=SECONDS).raise_for_status()
    query: dict[str, Any] = {
        "size": PAGE,
        "sort": [{"article_id": "asc"}, {"sequence": "asc"}, {"_doc": "asc"}],
        "_source": ["article_id", "sequence", "hash", "title"],
    }
    while True:
        answer = requests.post(f"{index}/_search", json=query, timeout=SECONDS)
        answer.raise_for_status()
        if not (hits := answer.json()["hits"]["hits"]):
            return
        for source in (hit["_source"] for hit in hits):
            yield Event(source["article_id"], source["sequence"], source["hash"], source["title"])
        query["search_after"] = hits[-1]["sort"]


def archived(trail: Trail) -> Iterator[Event]:
    """The rows of the archive's objects. No day is sealed while a harness runs: all of them are in the tail."""
    with tempfile.TemporaryDirectory() as folder:
        bucket = _store(trail).Bucket(f"{trail.prefix}audit-trail")
        for number, item in enumerate(
            item for item in bucket.objects.filter(Prefix="tail/") if item.key.endswith(".parquet")
        ):
            bucket.download_file(item.key, f"{folder}/{number}.parquet")
        if not any(Path(folder).iterdir()):
            return
        cursor = duckdb.connect().execute(
            "SELECT article_id, sequence, hex(hash) AS hash, hex(previous_hash) AS previous_hash, title, operation,"
            f" changes, keyframe FROM read_parquet('{folder}/*.parquet')"
        )
        names = [column[0] for column in cursor.description]
        while some := cursor.fetchmany(PAGE):
            yield from (_event(dict(zip(names, row, strict=True))) for row in some)


READERS: dict[str, Read] = {
    "topic": topic("raw"),
    "enriched topic": topic("enriched"),
    "database": rows,
    "index": documents,
    "archive": archived,
}


def newsroom(trail: Trail) -> dict[str, tuple[int, str]]:
    """Each article that exists: its number and the digest of its state, from the newsroom's own tables."""
    query = """
        SELECT a.id, headline, standfirst, body,
               coalesce(array_agg(t.tag_id::text) FILTER (WHERE t.tag_id IS NOT NULL), '{}') AS tags
        FROM newsroom_article a LEFT JOIN newsroom_article_tags t ON t.article_id = a.id GROUP BY a.id"""
    with psycopg.connect(**trail.superuser) as connection:
        return {
            f"newsroom.article:{pk}": (
                int(headline.rpartition("#")[2]),
                digest({"headline": headline, "standfirst": standfirst, "body": body, "tags": tags}),
            )
            for pk, headline, standfirst, body, tags in connection.execute(query)
        }


def letters(trail: Trail) -> list[str]:
    """The reasons of all dead letters."""
    return [json.loads(value[5:])["reason"] for _, value in committed(trail, trail.dead_letters)]


def committed(trail: Trail, name: str) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Partition and offset, and value, of all messages of a topic that a read_committed reader gets, each partition in
    order.
    """
    reader = Consumer(
        {
            "bootstrap.servers": trail.addresses.kafka_bootstrap,
            "group.id": "a-witness",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = set(reader.list_topics(name, SECONDS).topics[name].partitions)
    reader.assign([TopicPartition(name, number, 0) for number in partitions])
    while partitions:
        message = reader.poll(SECONDS)
        assert message is not None, f"{name} cannot be read to its end"
        if message.error():
            partitions.discard(message.partition())
        else:
            yield _place(message), message.value() or b""
    reader.close()


def _place(message: Message) -> tuple[int, int]:
    partition, offset = message.partition(), message.offset()
    assert partition is not None and offset is not None
    return partition, offset


def _messages(trail: Trail, name: str) -> Iterator[Event]:
    for place, value in committed(trail, name):
        event = _decoded(trail, value)
        if event["payload"]:
            event |= {part: _large(trail, event["payload"]["sha256"].hex())[part] for part in ("changes", "keyframe")}
        yield _event(event, place)


def _event(fields: Mapping[str, Any], place: tuple[int, int] | None = None) -> Event:
    content = {name: fields[name] for name in ("operation", "changes", "keyframe")}
    return Event(
        fields["article_id"],
        fields["sequence"],
        _hexadecimal(fields["hash"]),
        fields["title"],
        _hexadecimal(fields["previous_hash"]),
        place,
        content,
    )


def _hexadecimal(value: bytes | str) -> str:
    return value.hex() if isinstance(value, bytes) else value.lower()


def _decoded(trail: Trail, value: bytes) -> dict[str, Any]:
    magic, identifier = struct.unpack_from(">bI", value)
    assert magic == 0
    event = fastavro.schemaless_reader(BytesIO(value[5:]), _schema(trail.addresses.registry_url, identifier), None)
    assert isinstance(event, dict)
    return event


@cache
def _schema(registry: str, identifier: int) -> Schema:
    answer = requests.get(f"{registry}/schemas/ids/{identifier}", timeout=SECONDS)
    answer.raise_for_status()
    return fastavro.parse_schema(json.loads(answer.json()["schema"]))


def _large(trail: Trail, sha256: str) -> dict:
    content = _store(trail).Object(f"{trail.prefix}audit-trail", f"payloads/{sha256[:2]}/{sha256}").get()["Body"].read()
    return _decoded(trail, content)


@cache
def _store(trail: Trail):
    addresses = trail.addresses
    return boto3.resource(
        "s3",
        endpoint_url=addresses.s3_url,
        aws_access_key_id=addresses.s3_access_key,
        aws_secret_access_key=addresses.s3_secret_key,
        region_name="us-east-1",
    )
