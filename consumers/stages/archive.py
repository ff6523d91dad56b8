"""The archive sink: enriched events into Parquet objects on S3, each once."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby

from confluent_kafka import KafkaException

from audittrail import contracts
from audittrail.archive import object_names, objects, writer
from audittrail.archive.format import ArchivedEvent
from audittrail.archive.manifests import DamagedManifest
from audittrail.archive.object_storage import ObjectStoreUnavailable
from audittrail.archive.writer import DamagedArchive
from audittrail.events.event import EnrichedEvent
from audittrail.events.times import EPOCH
from consumers import conf, stages
from consumers.errors import NotReady
from consumers.kafka import clients, consumer_lag, schema_registry, topics
from consumers.messages import large_payloads
from consumers.messages.decoding import Decoded, decode
from consumers.records import Outcome, Partition, Record
from consumers.runtime.stage import Stage

UPLOADS = 8
"""Objects written at the same time."""

_NOT_NOW = (ObjectStoreUnavailable, DamagedArchive, DamagedManifest)


class ArchiveSink(Stage):
    """One object for each partition and day of a batch.

    The archive itself knows where a partition continues, not the group's offsets: these may be set back, or lost, and
    all writers must cut a partition into the same objects.
    """

    spec = stages.ARCHIVE

    def __init__(self) -> None:
        super().__init__()
        self.max_records = conf.archive_batch_records()
        self.max_seconds = conf.archive_batch_seconds()
        self.idle_seconds = conf.archive_idle_seconds()
        self._positions: dict[int, int | None] = {}
        self._topic_id = ""
        self._under_other_topics: set[tuple[bytes, bytes]] = set()
        self._uploads = ThreadPoolExecutor(UPLOADS, "archive")

    def open(self) -> None:
        self._codec = schema_registry.codec(contracts.ENRICHED)
        try:
            objects.ensure_bucket()
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error
        self._look_up_topic()

    def close(self) -> None:
        self._uploads.shutdown()

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        try:
            # Where an object was lost reading goes back, over events that may have been restored meanwhile.
            self._under_other_topics |= writer.archived_under_other_topics(
                self._topic_id, (datetime.now(UTC) - writer.RECENT).date(), object_names.RESTORED
            )
            committed = consumer_lag.committed(self.group, partitions)
            expected = {partition.number: offset for partition, offset in committed.items() if offset is not None}
            ends = writer.ends(self._topic_id, {partition.number for partition in partitions}, expected)
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error
        except KafkaException as error:
            raise NotReady(f"Kafka does not tell the positions of {self.group}: {error.args[0].str()}") from error
        self._positions |= {partition.number: ends.get(partition.number) for partition in partitions}
        # From the first message where the archive has none: the group's offsets may be those of a topic that is gone.
        return {partition: ends.get(partition.number, 0) for partition in partitions}

    def _look_up_topic(self) -> None:
        """Look up the id of the topic, and which events came through earlier topics of the same name: a topic that was
        created again repeats some of them.
        """
        try:
            self._topic_id = topics.ids(clients.admin(), self.topics())[conf.enriched_topic()]
            self._under_other_topics = writer.archived_under_other_topics(
                self._topic_id, (datetime.now(UTC) - writer.RECENT).date()
            )
        except KafkaException as error:
            raise NotReady(f"Kafka does not tell the id of {conf.enriched_topic()}: {error}") from error
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error

    def revoked(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._positions.pop(partition.number, None)

    def process(self, records: list[Record]) -> Outcome:
        decoded, undecodable = decode(self._codec, schema_registry.schemas(), records)
        whole, unresolvable = large_payloads.resolve_all(decoded)
        by_partition = groupby(sorted(self._rows(whole), key=_place), key=lambda row: row["partition"])
        uploads = [self._uploads.submit(self._append, partition, list(rows)) for partition, rows in by_partition]
        try:
            for upload in uploads:
                upload.result()
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error
        return Outcome(rejections=undecodable + unresolvable)

    def _append(self, partition: int, rows: list[ArchivedEvent]) -> None:
        self._positions[partition] = writer.append(self._topic_id, partition, rows, self._positions.get(partition))

    def _rows(self, decoded: list[Decoded[EnrichedEvent]]) -> list[ArchivedEvent]:
        rows = (self._row(record, event) for record, event in decoded)
        return [row for row in rows if (row["event_id"].bytes, row["hash"]) not in self._under_other_topics]

    def _row(self, record: Record, event: EnrichedEvent) -> ArchivedEvent:
        return {
            **event,
            "topic_id": self._topic_id,
            "partition": record.partition,
            "offset": record.offset,
            "appended_at": EPOCH + timedelta(milliseconds=record.timestamp_ms),
        }


def _place(row: ArchivedEvent) -> tuple[int, int]:
    return row["partition"], row["offset"]
