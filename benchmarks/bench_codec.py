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
from audittrail.events.event import EnrichedEvent
from audittrail.integrity.chain import event_hash
from testkit.audittrail.events import enriched_event, text_change

EVENTS = 5_000
ROUNDS = 5


def event(number: int) -> EnrichedEvent:
    """An edit of one to three words, the same for the same number."""
    rng = random.Random(number)
    moment = datetime(2026, 11, 23, 7, 42, 16, rng.randrange(10**6), tzinfo=UTC)
    edits = [(place * 1000, "alleged ", f"suspected {number} ") for place in range(rng.randrange(1, 4))]
    return enriched_event(
        event_id=UUID(int=rng.getrandbits(128), version=4),
        article_id=f"newsroom.article:{number % 100}",
        sequence=number + 2,
        occurred_at=moment,
        recorded_at=moment,
        changes=[text_change("body", *edits)],
        labels={},
        salt=rng.randbytes(16),
        state_digest=rng.randbytes(32),
        previous_hash=rng.randbytes(32),
        hash=rng.randbytes(32),
        words_added=1,
        words_removed=1,
    )


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
