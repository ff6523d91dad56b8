"""Every setting of the consumers: one environment variable, one accessor, and a default.

The addresses of servers have no default here: the site gives them in its Django settings, as AUDIT_DEFAULTS.
"""

import re

from django.core.exceptions import ImproperlyConfigured

from audittrail import conf as audit
from audittrail import contracts, env


def prefix() -> str:
    """AUDIT_PREFIX: put before every topic, group and transactional id."""
    return audit.prefix()


# Addresses


def kafka_bootstrap_servers() -> str:
    """KAFKA_BOOTSTRAP_SERVERS: host:port of some brokers, by commas."""
    return env.site_servers("KAFKA_BOOTSTRAP_SERVERS")


def schema_registry_url() -> str:
    """SCHEMA_REGISTRY_URL: a registry that speaks Confluent's API."""
    return env.site_url("SCHEMA_REGISTRY_URL", "http", "https")


def redis_url() -> str:
    """REDIS_URL: where idempotency keys are kept under at_least_once."""
    return env.site_url("REDIS_URL", "redis", "rediss")


# Authenticity


def message_keys() -> dict[str, str]:
    """AUDIT_MESSAGE_KEYS: id:key by commas, of messages' MACs; the first signs, all are accepted.

    Raises NotSet, and ImproperlyConfigured without showing a key.
    """
    keys = [part.strip().partition(":") for part in env.site_text("AUDIT_MESSAGE_KEYS").split(",")]
    if not all(re.fullmatch(r"[\w-]{1,16}", name, re.ASCII) and 32 <= len(key.encode()) <= 64 for name, _, key in keys):
        raise ImproperlyConfigured(
            "AUDIT_MESSAGE_KEYS is not id:key by commas, each id of up to 16 letters, digits, - and _, each key of "
            '32 to 64 bytes, such as python -c "import secrets; print(secrets.token_hex(32))" prints. Correct it.'
        )
    return {name: key for name, _, key in keys}


def accept_unsigned() -> bool:
    """AUDIT_ACCEPT_UNSIGNED: take messages without a MAC, too: until those written before there was one are read."""
    return env.truth("AUDIT_ACCEPT_UNSIGNED", False)


# Names


def raw_topic() -> str:
    """The topic of events as captured."""
    return f"{prefix()}{contracts.RAW}"


def enriched_topic() -> str:
    """The topic of events with the actor as of then and the derived action."""
    return f"{prefix()}{contracts.ENRICHED}"


def dead_letter_topic() -> str:
    """The topic of messages that a stage could not process."""
    return f"{prefix()}{contracts.DEAD_LETTERS}"


def subject(topic: str) -> str:
    """The schema registry's subject of a topic's values."""
    return f"{topic}-value"


def group(name: str) -> str:
    """The consumer group of `name`: processor, database, search, archive."""
    return f"{prefix()}audit-trail-{name}"


def member(name: str, slot: int) -> str:
    """The static member (group.instance.id) of a slot, counted from 1: `processor-node-01`."""
    return f"{name}-{slot:02d}"


def transactional_id(owner: str) -> str:
    """The stable transactional.id of a member or relay lane, so that a successor fences its predecessor at once."""
    return f"{prefix()}{owner}"


# Topics


def partitions() -> int:
    """AUDIT_PARTITIONS: partitions of the raw and of the enriched topic; they can only grow."""
    return env.integer("AUDIT_PARTITIONS", 24, minimum=1, maximum=10_000)


def dead_letter_partitions() -> int:
    """AUDIT_DEAD_LETTER_PARTITIONS: few, for a topic that should be empty."""
    return env.integer("AUDIT_DEAD_LETTER_PARTITIONS", 3, minimum=1, maximum=10_000)


def replication() -> int:
    """AUDIT_REPLICATION: copies of each partition; a cluster of one broker gets 1 whatever this says."""
    return env.integer("AUDIT_REPLICATION", 3, minimum=1, maximum=100)


def retention_hours() -> int:
    """AUDIT_RETENTION_HOURS: how long topics keep messages, seven days by default."""
    return env.integer("AUDIT_RETENTION_HOURS", 7 * 24, minimum=1)


# Delivery

EXACTLY_ONCE = "exactly_once"
AT_LEAST_ONCE = "at_least_once"


def delivery() -> str:
    """AUDIT_DELIVERY: exactly_once (Kafka transactions) or at_least_once (none; repeats dropped by keys in Redis)."""
    return env.choice("AUDIT_DELIVERY", EXACTLY_ONCE, (EXACTLY_ONCE, AT_LEAST_ONCE))


def deduplication() -> str:
    """AUDIT_DEDUPLICATION: on or off, under at_least_once only.

    Off lets repeats through: the fault tests use it to show that they can see them.
    """
    return env.choice("AUDIT_DEDUPLICATION", "on", ("on", "off"))


def deduplication_seconds() -> int:
    """AUDIT_DEDUPLICATION_SECONDS: life of an idempotency key; above the topics' retention, so that a whole replay is
    recognised.
    """
    return env.integer("AUDIT_DEDUPLICATION_SECONDS", (retention_hours() + 24) * 3600, minimum=1)


def session_timeout_seconds() -> float:
    """AUDIT_SESSION_TIMEOUT: how long a static member may be away before its partitions move."""
    return env.seconds("AUDIT_SESSION_TIMEOUT", 10, minimum=1)


def transaction_timeout_seconds() -> float:
    """AUDIT_TRANSACTION_TIMEOUT: after this Kafka itself aborts the transaction of a producer that fell silent."""
    return env.seconds("AUDIT_TRANSACTION_TIMEOUT", 15, minimum=1)


# The loop


def batch_records() -> int:
    """AUDIT_BATCH_RECORDS: records after which a batch closes, where a stage does not say otherwise."""
    return env.integer("AUDIT_BATCH_RECORDS", 2000, minimum=1)


def batch_seconds() -> float:
    """AUDIT_BATCH_SECONDS: age of its first record at which a batch closes, where a stage does not say otherwise."""
    return env.seconds("AUDIT_BATCH_SECONDS", 0.1)


def fetch_buffer_kilobytes() -> int:
    """AUDIT_FETCH_BUFFER_KB: messages fetched ahead and not yet polled, in all."""
    return env.integer("AUDIT_FETCH_BUFFER_KB", 16 * 1024, minimum=1024)


def retry_cap_seconds() -> float:
    """AUDIT_RETRY_CAP: the longest pause between two attempts while something outside is away."""
    return env.seconds("AUDIT_RETRY_CAP", 10, minimum=0.01)


def halt_after() -> int:
    """AUDIT_HALT_AFTER: rejected messages in a row after which a stage reads a partition no further, instead of
    draining it into the dead letters.

    0 never halts. Nothing but a release in the admin or by the API lets a halted partition go on: the batch that waits
    passes, and counting begins at zero.
    """
    return env.integer("AUDIT_HALT_AFTER", 500)


def halt_share() -> float:
    """AUDIT_HALT_SHARE: the largest share of rejected messages among a partition's last ones, of which twice
    AUDIT_HALT_AFTER count; a larger one halts it as well.
    """
    return env.share("AUDIT_HALT_SHARE", 0.5)


def shutdown_seconds() -> float:
    """AUDIT_SHUTDOWN_SECONDS: from SIGTERM to exit; what is not finished by then is aborted and read again."""
    return env.seconds("AUDIT_SHUTDOWN_SECONDS", 10)


def metrics_port() -> int:
    """AUDIT_METRICS_PORT: where slot 1 of the enricher offers Prometheus metrics; 0: nowhere.

    Slot N: N - 1 above; the database sink 16 above, search 32, archive 48.
    """
    return env.integer("AUDIT_METRICS_PORT", 0, maximum=65_000)


# The relay


def relay_group() -> str:
    """The group without members that holds each lane's batch number."""
    return f"{prefix()}relay"


def relay_lanes() -> int:
    """AUDIT_RELAY_LANES: lanes of the relay; they can change once the outbox is drained."""
    return env.integer("AUDIT_RELAY_LANES", 4, minimum=1, maximum=1000)


def relay_poll_seconds() -> float:
    """AUDIT_RELAY_POLL: how often a lane looks for new events when nobody wakes it."""
    return env.seconds("AUDIT_RELAY_POLL", 0.05, minimum=0.001)


def turn_seconds() -> float:
    """AUDIT_TURN_SECONDS: a consumer process whose loop has not turned for so long writes its stacks and ends."""
    return env.seconds("AUDIT_TURN_SECONDS", 120, minimum=1)


def relay_interval_seconds() -> float:
    """AUDIT_RELAY_INTERVAL: a lane's batch begins so long after its last began at the earliest, unless that one had
    AUDIT_RELAY_BATCH_ROWS.
    """
    return env.seconds("AUDIT_RELAY_INTERVAL", 0.2)


def relay_batch_rows() -> int:
    """AUDIT_RELAY_BATCH_ROWS: outbox rows in one Kafka transaction at most."""
    return env.integer("AUDIT_RELAY_BATCH_ROWS", 1000, minimum=1)


def relay_batch_kilobytes() -> int:
    """AUDIT_RELAY_BATCH_KB: stored content of one Kafka transaction at most; a single larger event goes alone."""
    return env.integer("AUDIT_RELAY_BATCH_KB", 8 * 1024, minimum=1)


def key_strategy() -> str:
    """AUDIT_KEY_STRATEGY: what orders and spreads an article's messages: article (one partition), article_hour (another
    each hour) or adaptive (one partition, all of its lane's while it is hot). It can be changed at any time: readers
    order by sequence.
    """
    return env.choice("AUDIT_KEY_STRATEGY", "article", ("article", "article_hour", "adaptive"))


def hot_events_per_minute() -> int:
    """AUDIT_HOT_EVENTS_PER_MINUTE: from so many events a minute on, an article is hot, until it falls below half of
    that.
    """
    return env.integer("AUDIT_HOT_EVENTS_PER_MINUTE", 60, minimum=2)


# Control


def frozen_seconds() -> float:
    """AUDIT_FROZEN_SECONDS: a consumer process silent for so long is killed and started again."""
    return env.seconds("AUDIT_FROZEN_SECONDS", 30, minimum=1)


def lag_threshold() -> int:
    """AUDIT_LAG_THRESHOLD: messages a stage may be behind; above it for longer than AUDIT_LAG_SECONDS is an alert."""
    return env.integer("AUDIT_LAG_THRESHOLD", 10_000)


def lag_seconds() -> float:
    """AUDIT_LAG_SECONDS: see AUDIT_LAG_THRESHOLD."""
    return env.seconds("AUDIT_LAG_SECONDS", 120)


def lag_sample_seconds() -> float:
    """AUDIT_LAG_SAMPLE_SECONDS: how often lag is sampled."""
    return env.seconds("AUDIT_LAG_SAMPLE_SECONDS", 10, minimum=1)


def outbox_days() -> int:
    """AUDIT_OUTBOX_DAYS: the outbox keeps published events at least so long, and until database and archive have
    them.
    """
    return env.integer("AUDIT_OUTBOX_DAYS", 7, minimum=1)


def statsd_address() -> str:
    """DATADOG_STATSD: host:port of a Datadog agent that gets lag and alerts; empty: none."""
    return env.server("DATADOG_STATSD", "")


def otlp_endpoint() -> str:
    """OTEL_EXPORTER_OTLP_ENDPOINT: where spans go by OTLP over HTTP; empty: nowhere. OpenTelemetry's other variables
    count as well.
    """
    return env.url("OTEL_EXPORTER_OTLP_ENDPOINT", "", "http", "https")


# The archive


def archive_batch_records() -> int:
    """AUDIT_ARCHIVE_BATCH_RECORDS: records after which the archive sink closes a batch; few large objects are read
    faster than many small ones.
    """
    return env.integer("AUDIT_ARCHIVE_BATCH_RECORDS", 5000, minimum=1)


def archive_batch_seconds() -> float:
    """AUDIT_ARCHIVE_BATCH_SECONDS: age of its first record at which the archive sink closes a batch."""
    return env.seconds("AUDIT_ARCHIVE_BATCH_SECONDS", 15)


def archive_idle_seconds() -> float:
    """AUDIT_ARCHIVE_IDLE_SECONDS: time without a record after which the archive sink closes a batch early."""
    return env.seconds("AUDIT_ARCHIVE_IDLE_SECONDS", 2)
