"""The catalogue of metrics: each is defined and explained here; none is updated for each message."""

from prometheus_client import Counter, Enum, Gauge, Histogram, start_http_server

from consumers.models import ProcessState
from consumers.runtime.stage_spec import StageSpec

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RECORDS = (1, 5, 10, 50, 100, 500, 1000, 2000, 5000)

# Records delivered: processed, and their offsets committed.
PROCESSED = Counter("audit_records_processed", "Records processed and committed", ["stage"])

# Records that went to the dead letters, by the reason's code.
REJECTED = Counter("audit_records_rejected", "Records sent to the dead letters", ["stage", "reason"])

# Messages written to Kafka, dead letters among them.
WRITTEN = Counter("audit_messages_written", "Messages written to Kafka", ["stage"])

# How many records a batch held.
BATCH_SIZE = Histogram("audit_batch_records", "Records in a batch", ["stage"], buckets=RECORDS)

# Time the stage took for a batch: decoding, enriching, storing.
PROCESS_SECONDS = Histogram("audit_process_seconds", "Seconds to process a batch", ["stage"], buckets=SECONDS)

# Time delivery took for a batch: produce and commit, the whole transaction under exactly_once.
DELIVER_SECONDS = Histogram("audit_deliver_seconds", "Seconds to deliver a batch", ["stage"], buckets=SECONDS)

# Attempts that found something outside away; a steady rise is an outage.
POSTPONED = Counter("audit_batches_postponed", "Attempts put off because something was away", ["stage"])

# Times this process was put out of its group in mid-batch, and read the batch again.
EVICTED = Counter("audit_evictions", "Batches dropped because the group had moved on", ["stage"])

# Producers given up after a transaction call whose fate is not known.
RECYCLED = Counter("audit_producers_recycled", "Producers replaced after a call in doubt", ["stage"])

# Partitions given and taken by rebalances: event is assigned, revoked or lost.
REBALANCED = Counter("audit_partitions_rebalanced", "Partitions moved by rebalances", ["stage", "event"])

# Partitions held now.
PARTITIONS = Gauge("audit_partitions_held", "Partitions held", ["stage"])

# 1 for the state the process is in, 0 for the others.
STATE = Enum("audit_state", "State of the process", ["stage"], states=ProcessState.values)


def serve(spec: StageSpec, slot: int) -> None:
    """Offer the metrics over HTTP on the port for this stage and slot, if one is set."""
    if (port := spec.metrics_port(slot)) is not None:
        start_http_server(port)
