"""The database sink: events and dead letters to PostgreSQL, each once, with the offsets reached in the same
transaction.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import psycopg
from confluent_kafka import KafkaException
from psycopg.rows import TupleRow

from audittrail import contracts
from audittrail.contracts.codec import UndecodableEvent
from audittrail.events import database_rows
from audittrail.events.event import EnrichedEvent
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
from consumers.runtime.batcher import Batch
from consumers.runtime.stage import Stage
from consumers.stages import sink_positions
from consumers.stages.sink_positions import Reached, Taken

# A frozen process must not block its successor with its locks without end.
_LIMITS = "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '5s'; SET statement_timeout = '60s'"

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Connection = psycopg.Connection[TupleRow]
DecodedLetter = tuple[Record, wire_format.Letter]


class DatabaseSink(Stage):
    """Reads the enriched topic and the dead letters.

    PostgreSQL knows the offsets, whatever Kafka remembers of the group: reading starts where the rows end.
    """

    spec = stages.DATABASE

    def __init__(self) -> None:
        super().__init__()
        self._connection: Connection | None = None
        self._held: dict[Partition, Taken] = {}

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
        taken = self._ask(lambda connection: sink_positions.take(connection, self.group, topic_ids, partitions))
        found = {Partition(each.topic, each.number): each for each in taken}
        self._held |= found
        return {partition: each.offset for partition, each in found.items()}

    def revoked(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)

    def process(self, records: list[Record]) -> Outcome:
        dead = [record for record in records if record.topic == conf.dead_letter_topic()]
        alive = [record for record in records if record.topic != conf.dead_letter_topic()]
        events, undecodable = decode(self._codec, schemas(), alive)
        whole, unresolvable = large_payloads.resolve_all(events)
        letters, undecoded = _decode_letters(dead)
        rejections = undecodable + unresolvable + undecoded
        return self._ask(lambda connection: self._store(connection, records, whole, letters, rejections))

    def _store(
        self,
        connection: Connection,
        records: list[Record],
        events: list[Decoded[EnrichedEvent]],
        letters: list[DecodedLetter],
        rejections: list[Rejection],
    ) -> Outcome:
        with connection.transaction():
            self._advance(connection, {record.source: record.offset + 1 for record in records})
            refused = [
                *_isolating(connection, events, _store_events, _unstorable_event),
                *_isolating(connection, letters, _store_letters, _unstorable_letter),
            ]
            # What is rejected is in Kafka's dead letters only after this: until the next batch a successor reads it
            # again, from where its letter gets the same identity.
            if rejected := [each.record for each in rejections + refused]:
                self._advance(connection, Batch(sorted(rejected, key=lambda record: record.offset)).starts())
        return Outcome(rejections=rejections + refused)

    def _advance(self, connection: Connection, offsets: dict[Partition, int]) -> None:
        """Record the next offset to read of partitions. Raises Fenced."""
        held = ((self._held[partition], offset) for partition, offset in offsets.items())
        reached = [Reached(taken.topic_id, taken.number, taken.token, offset) for taken, offset in held]
        if not sink_positions.advance(connection, self.group, reached):
            raise Fenced("another process has taken over partitions of the database sink")

    def _ask(self, question: Callable[[Connection], Answer]) -> Answer:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect()
                self._connection.execute(_LIMITS)
                self._connection.execute(database_rows.CREATE_INCOMING)
            return question(self._connection)
        except psycopg.Error as error:
            if self._connection:
                self._connection.close()
            raise NotReady(f"PostgreSQL: {str(error).strip()}") from error


def _decode_letters(records: list[Record]) -> tuple[list[DecodedLetter], list[Rejection]]:
    decoded: list[DecodedLetter] = []
    rejections: list[Rejection] = []
    for record in records:
        try:
            decoded.append((record, wire_format.decode(record.value, schemas().by_id)))
        except UndecodableEvent as error:
            rejections.append(Rejection(record, error.reason, error.detail))
    return decoded, rejections


def _isolating(
    connection: Connection,
    items: list[Item],
    store: Callable[[Connection, list[Item]], list[Rejection]],
    unstorable: Callable[[Item, str], Rejection],
) -> list[Rejection]:
    """Store all; where PostgreSQL refuses the data, halve until only the refused records are left out."""
    if not items:
        return []
    try:
        with connection.transaction():
            return store(connection, items)
    except psycopg.Error as error:
        if not _is_unstorable(error):
            raise
        if len(items) == 1:
            return [unstorable(items[0], str(error).strip())]
    middle = len(items) // 2
    return _isolating(connection, items[:middle], store, unstorable) + _isolating(
        connection, items[middle:], store, unstorable
    )


def _is_unstorable(error: psycopg.Error) -> bool:
    """Whether it is the data that PostgreSQL refuses (a NUL, a number out of range, a key too long), and will refuse
    again.
    """
    return isinstance(error, psycopg.DataError) or (error.sqlstate or "")[:2] in ("22", "23", "54")


def _store_events(connection: Connection, events: list[Decoded[EnrichedEvent]]) -> list[Rejection]:
    duplicates = database_rows.store_events(connection, (event for _, event in events))
    return [rejection(*events[number], "event_id_reused", "another event has this event_id") for number in duplicates]


def _unstorable_event(decoded: Decoded[EnrichedEvent], detail: str) -> Rejection:
    return rejection(decoded.record, decoded.event, "unstorable", detail)


def _store_letters(connection: Connection, letters: list[DecodedLetter]) -> list[Rejection]:
    dead_letter_rows.store_letters(connection, (letter for _, letter in letters))
    return []


def _unstorable_letter(decoded: DecodedLetter, detail: str) -> Rejection:
    record, letter = decoded
    return Rejection(record, "unstorable", detail, letter.get("article_id"), letter.get("sequence"))
