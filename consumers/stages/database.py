"""The database sink: events and dead letters to PostgreSQL, each once, with the offsets reached in the same
transaction.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import psycopg
from confluent_kafka import KafkaException

from audittrail import contracts
from audittrail.contracts.codec import UndecodableEvent
from consumers import conf, stages
from consumers.database import connect
from consumers.dead_letters import rows as dead_letter_rows
from consumers.dead_letters import wire_format
from consumers.errors import Fenced, NotReady
from consumers.kafka import clients, topics
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages import large_payloads
from consumers.messages.decoding import Decoded, decode, rejection
from consumers.records import Outcome, Partition, Record, Rejection
from consumers.runtime.stage import Stage
from consumers.stages import database_rows as rows

# A frozen process must not keep its successor waiting for its locks for ever.
_LIMITS = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '5s'; SET statement_timeout = '60s'"


class Lease(NamedTuple):
    """A partition held: its topic's id, and the token without which nothing is committed for it."""

    topic_id: str
    token: int


class DatabaseSink(Stage):
    """Reads the enriched topic and the dead letters.

    PostgreSQL knows the offsets, whatever Kafka remembers of the group: reading starts where the rows end.
    """

    spec = stages.DATABASE

    def __init__(self) -> None:
        super().__init__()
        self._connection: psycopg.Connection | None = None
        self._leases: dict[Partition, Lease] = {}

    def open(self) -> None:
        self._codec = codec(contracts.ENRICHED)

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        try:
            topic_ids = topics.ids(clients.admin(), sorted({partition.topic for partition in partitions}))
        except KafkaException as error:
            raise NotReady(f"Kafka: ids of topics not known: {error.args[0].str()}") from error
        taken = self._ask(lambda connection: rows.take_positions(connection, self.group, topic_ids, partitions))
        self._leases.update(
            {Partition(topic, number): Lease(topic_id, token) for topic, number, topic_id, _, token in taken}
        )
        return {Partition(topic, number): offset for topic, number, _, offset, _ in taken}

    def revoked(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._leases.pop(partition, None)

    def process(self, records: list[Record]) -> Outcome:
        dead = [record for record in records if record.topic == conf.dead_letter_topic()]
        alive = [record for record in records if record.topic != conf.dead_letter_topic()]
        events, undecodable = decode(self._codec, schemas(), alive)
        whole, unresolvable = large_payloads.whole(events)
        letters, undecoded = _decode_letters(dead)
        refused = self._ask(lambda connection: self._store(connection, records, whole, letters))
        return Outcome(rejections=undecodable + unresolvable + undecoded + refused)

    def _store(
        self, connection: psycopg.Connection, records: list[Record], events: list[Decoded], letters: list[Decoded]
    ) -> list[Rejection]:
        with connection.transaction():
            if not rows.advance(connection, self.group, self._reached(records)):
                raise Fenced("another process has taken over partitions of the database sink")
            return _isolating(connection, events, _store_events) + _isolating(connection, letters, _store_letters)

    def _reached(self, records: list[Record]) -> list[tuple[str, int, int, int]]:
        ends = {record.source: record.offset + 1 for record in records}
        return [
            (self._leases[partition].topic_id, partition.number, self._leases[partition].token, end)
            for partition, end in ends.items()
        ]

    def _ask(self, question: Callable[[psycopg.Connection], object]):
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect()
                self._connection.execute(_LIMITS)
                self._connection.execute(rows.CREATE_INCOMING)
            return question(self._connection)
        except psycopg.Error as error:
            if self._connection:
                self._connection.close()
            raise NotReady(f"PostgreSQL: {str(error).strip()}") from error


def _decode_letters(records: list[Record]) -> tuple[list[Decoded], list[Rejection]]:
    decoded, rejections = [], []
    for record in records:
        try:
            decoded.append((record, wire_format.decode(record.value, schemas().by_id)))
        except UndecodableEvent as error:
            rejections.append(Rejection(record, error.reason, error.detail))
    return decoded, rejections


def _isolating(connection: psycopg.Connection, items: list[Decoded], store: Callable) -> list[Rejection]:
    """Store all; where PostgreSQL refuses the data, halve until only the refused records are left out."""
    if not items:
        return []
    try:
        with connection.transaction():
            return store(connection, items)
    except psycopg.Error as error:
        if not rows.is_unstorable(error):
            raise
        if len(items) == 1:
            record, content = items[0]
            return [
                Rejection(record, "unstorable", str(error).strip(), content.get("article_id"), content.get("sequence"))
            ]
    middle = len(items) // 2
    return _isolating(connection, items[:middle], store) + _isolating(connection, items[middle:], store)


def _store_events(connection: psycopg.Connection, events: list[Decoded]) -> list[Rejection]:
    homeless = rows.store_events(connection, (event for _, event in events))
    return [rejection(*events[number], "event_id_reused", "another event has this event_id") for number in homeless]


def _store_letters(connection: psycopg.Connection, letters: list[Decoded]) -> list[Rejection]:
    dead_letter_rows.store_letters(connection, (letter for _, letter in letters))
    return []
