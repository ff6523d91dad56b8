"""The codec against the client library's own Avro serializers, on the same enriched events and schema.

python -m benchmarks.bench_codec
"""

import json
import random
import time
from datetime import UTC, datetime
from uuid import UUID

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from audittrail import contracts
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import validate
from audittrail.integrity.chain import event_hash

EVENTS = 5_000
ROUNDS = 5


def event(number: int) -> dict:
    rng = random.Random(number)
    moment = datetime(2026, 11, 23, 7, 42, 16, rng.randrange(10**6), tzinfo=UTC)
    edits = [
        {"position": place * 1000, "removed": "alleged ", "inserted": f"suspected {number} "}
        for place in range(rng.randrange(1, 4))
    ]
    text = {
        "field": "body",
        "kind": "text",
        "before": None,
        "after": None,
        "before_ids": None,
        "after_ids": None,
        "edits": edits,
    }
    return {
        "event_id": UUID(int=rng.getrandbits(128), version=4),
        "article_id": f"newsroom.article:{number % 100}",
        "kind": "newsroom.article",
        "sequence": number + 2,
        "operation": "update",
        "title": "Council votes on tram",
        "status": "draft",
        "occurred_at": moment,
        "recorded_at": moment,
        "actor": {"type": "user", "id": "17", "version": 3, "snapshot": None},
        "context": {
            "request_id": "01998f2e-7b5c-7d3e",
            "correlation_id": None,
            "ip": "192.0.2.7",
            "user_agent": "Firefox",
            "channel": "admin",
        },
        "changes": [text],
        "labels": {},
        "keyframe": None,
        "salt": rng.randbytes(16),
        "state_digest": rng.randbytes(32),
        "previous_hash": rng.randbytes(32),
        "hash": rng.randbytes(32),
        "payload": None,
        "schema_version": 2,
        "amendments": [],
        "action": "edited",
        "actor_profile": {"name": "Kim Lee", "byline": "By Kim Lee", "role": "reporter", "desk": "politics"},
        "words_added": 1,
        "words_removed": 1,
    }


def microseconds(items: list, *works) -> list[float]:
    """For each work, the best of some rounds, for one item; in turns, so that a busy machine slows all alike."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            start = time.perf_counter()
            for item in items:
                work(item)
            best[number] = min(best[number], (time.perf_counter() - start) / len(items) * 1e6)
    return best


def main() -> None:
    contract, version = contracts.ENRICHED, contracts.latest(contracts.ENRICHED)
    text = contracts.text(contract, version)
    registry = SchemaRegistryClient.new_client({"url": "mock://codec"})
    identifier = registry.register_schema(f"{contract}-value", Schema(text, "AVRO"))
    there = SerializationContext(contract, MessageField.VALUE)
    serializer = AvroSerializer(registry, text, conf={"auto.register.schemas": False})
    deserializer = AvroDeserializer(registry)
    codec = Codec(contract, version, identifier)
    events = [event(number) for number in range(EVENTS)]
    encoded = [codec.encode(one) for one in events]
    schema = json.loads(text)
    if [deserializer(data, there) for data in encoded] != [codec.decode(data, lambda _: schema) for data in encoded]:
        raise SystemExit("the two read different events from the same bytes")

    print(f"{EVENTS} enriched events, {sum(map(len, encoded)) / EVENTS:.0f} bytes each; µs an event, one core")
    rows = {
        "encode": microseconds(events, codec.encode, lambda one: serializer(one, there)),
        "decode": microseconds(
            encoded, lambda data: codec.decode(data, lambda _: schema), lambda data: deserializer(data, there)
        ),
    }
    for name, (ours, theirs) in rows.items():
        print(f"  {name}: {ours:.1f} against {theirs:.1f} of confluent-kafka's, ×{theirs / ours:.2f}")
    validation, hashing = microseconds(events, validate, event_hash)
    print(f"  validate: {validation:.1f}, event_hash: {hashing:.1f}")


if __name__ == "__main__":
    main()
