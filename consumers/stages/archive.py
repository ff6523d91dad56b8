"""The archive sink: enriched events into Parquet objects on S3, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby

from confluent_kafka import KafkaException

from audittrail import contracts
from audittrail.archive import object_names, objects, writer
from audittrail.archive.manifests import DamagedManifest
from audittrail.archive.objects import ObjectStoreUnavailable
from audittrail.archive.writer import DamagedArchive
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

    Where a partition starts is told by the archive itself, not by the group's offsets: these may be set back, or lost,
    and all writers must cut a partition into the same objects.
    """

    spec = stages.ARCHIVE

    def __init__(self) -> None:
        super().__init__()
        self.max_records = conf.archive_batch_records()
        self.max_seconds = conf.archive_batch_seconds()
        self.idle_seconds = conf.archive_idle_seconds()
        self._positions: dict[int, int | None] = {}
        self._topic_id = ""
        self._elsewhere: set[tuple[bytes, bytes]] = set()
        self._uploads = ThreadPoolExecutor(UPLOADS, "archive")

    def open(self) -> None:
        self._codec = schema_registry.codec(contracts.ENRICHED)
        try:
            objects.ensure_bucket()
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error
        self._know_topic()

    def close(self) -> None:
        self._uploads.shutdown()

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        try:
            # Where an object was lost reading goes back, over events that may have been restored meanwhile.
            self._elsewhere |= writer.archived_under_other_topics(
                self._topic_id, (datetime.now(UTC) - writer.RECENT).date(), object_names.RESTORED
            )
            near = {
                partition.number: offset for partition, offset in consumer_lag.committed(self.group, partitions).items()
            }
            ends = writer.ends(self._topic_id, {partition.number for partition in partitions}, near)
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error
        except KafkaException as error:
            raise NotReady(f"Kafka does not tell the positions of {self.group}: {error.args[0].str()}") from error
        self._positions |= {partition.number: ends.get(partition.number) for partition in partitions}
        # From the first message where the archive has none: the group's offsets may be those of a topic that is gone.
        return {partition: ends.get(partition.number, 0) for partition in partitions}

    def _know_topic(self) -> None:
        """Learn which topic bears the name, and what others that bore it have brought: one made anew repeats some of
        that.
        """
        try:
            self._topic_id = topics.ids(clients.admin(), self.topics())[conf.enriched_topic()]
            self._elsewhere = writer.archived_under_other_topics(
                self._topic_id, (datetime.now(UTC) - writer.RECENT).date()
            )
        except KafkaException as error:
            raise NotReady(f"Kafka does not tell the id of {conf.enriched_topic()}: {error}") from error
        except _NOT_NOW as error:
            raise NotReady(str(error)) from error

    def revoked(self, partitions) -> None:
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

    def _append(self, partition: int, rows: list[dict]) -> None:
        self._positions[partition] = writer.append(self._topic_id, partition, rows, self._positions.get(partition))

    def _rows(self, decoded: list[Decoded]) -> list[dict]:
        rows = (event | self._origin(record) for record, event in decoded)
        return [row for row in rows if (row["event_id"].bytes, row["hash"]) not in self._elsewhere]

    def _origin(self, record: Record) -> dict:
        appended_at = EPOCH + timedelta(milliseconds=record.timestamp_ms)
        return {
            "topic_id": self._topic_id,
            "partition": record.partition,
            "offset": record.offset,
            "appended_at": appended_at,
        }


def _place(row: dict) -> tuple[int, int]:
    return row["partition"], row["offset"]
