"""Every setting of the audit trail: one environment variable, one accessor, and a default.

The addresses of servers have no default here: the site gives them in its Django settings, as AUDIT_DEFAULTS.
"""

import ipaddress

from audittrail import env

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def prefix() -> str:
    """AUDIT_PREFIX: put before every topic, group, index, bucket and transactional id, so that several trails can share
    servers.
    """
    return env.matching(
        "AUDIT_PREFIX", "", r"[a-z0-9][a-z0-9-]{0,31}", "at most 32 small letters, digits and dashes, no dash at first"
    )


def event_source() -> str:
    """AUDIT_EVENT_SOURCE: the CloudEvents `source` of what this installation captures (a URI reference)."""
    return env.matching(
        "AUDIT_EVENT_SOURCE",
        "/newsroom",
        r"""[^\s<>"{}|\\^`]+""",
        "a URI reference, like /newsroom or https://host/path",
    )


def application_role() -> str:
    """DATABASE_APPLICATION_ROLE: the database role of the site; it can read the trail and never write it."""
    return env.text("DATABASE_APPLICATION_ROLE", "audit_app")


def pipeline_role() -> str:
    """DATABASE_PIPELINE_ROLE: the database role of relay and sinks; it adds events and never changes them."""
    return env.text("DATABASE_PIPELINE_ROLE", "audit_pipeline")


def trusted_proxies() -> tuple[Network, ...]:
    """AUDIT_TRUSTED_PROXIES: networks (CIDR, by commas) whose X-Forwarded-For and Forwarded are believed; none by
    default.
    """
    return env.read(
        "AUDIT_TRUSTED_PROXIES", (), _networks, "a list of networks separated by commas, like 10.0.0.0/8,2001:db8::/32"
    )


def keyframe_interval() -> int:
    """AUDIT_KEYFRAME_INTERVAL: each n-th event of an article carries the whole article."""
    return env.integer("AUDIT_KEYFRAME_INTERVAL", 50, minimum=1)


def event_limit() -> int:
    """AUDIT_EVENT_LIMIT: bytes of an encoded event above which its content goes to object storage."""
    return env.integer("AUDIT_EVENT_LIMIT", 64 * 1024, minimum=1024)


def elasticsearch_url() -> str:
    """ELASTICSEARCH_URL: the server of the search index."""
    return env.site_url("ELASTICSEARCH_URL", "http", "https")


def search_index() -> str:
    """The alias under which events are searched and written (`AUDIT_PREFIX` + audit-events)."""
    return f"{prefix()}audit-events"


def s3_endpoint_url() -> str:
    """S3_ENDPOINT_URL: the S3 API of the archive."""
    return env.site_url("S3_ENDPOINT_URL", "http", "https")


def s3_access_key() -> str:
    """S3_ACCESS_KEY: the access key of that API, given together with S3_SECRET_KEY."""
    return env.site_half("S3_ACCESS_KEY", "S3_SECRET_KEY")


def s3_secret_key() -> str:
    """S3_SECRET_KEY: the secret of that access key."""
    return env.site_half("S3_SECRET_KEY", "S3_ACCESS_KEY")


def archive_bucket() -> str:
    """AUDIT_ARCHIVE_BUCKET: the bucket of the long-term archive and of large payloads."""
    return env.matching(
        "AUDIT_ARCHIVE_BUCKET",
        f"{prefix()}audit-trail",
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "the name of a bucket: 3 to 63 small letters, digits, dots and dashes",
    )


def search_shards() -> int:
    """AUDIT_SEARCH_SHARDS: primary shards of a new search index."""
    return env.integer("AUDIT_SEARCH_SHARDS", 1, minimum=1)


def search_replicas() -> int:
    """AUDIT_SEARCH_REPLICAS: copies of each shard of a new search index; none by default, which suits a single node."""
    return env.integer("AUDIT_SEARCH_REPLICAS", 0)


def search_refresh_milliseconds() -> int:
    """AUDIT_SEARCH_REFRESH_MS: after this an indexed event can be found."""
    return env.integer("AUDIT_SEARCH_REFRESH_MS", 500, minimum=50)


def search_text_limit() -> int:
    """AUDIT_SEARCH_TEXT_LIMIT: characters of inserted (removed, before, after) text of one event that are
    searchable.
    """
    return env.integer("AUDIT_SEARCH_TEXT_LIMIT", 500_000, minimum=1000)


def tail_days() -> int:
    """AUDIT_TAIL_DAYS: days after which the archive's tail objects of a sealed day may be deleted."""
    return env.integer("AUDIT_TAIL_DAYS", 30, minimum=1)


def _networks(raw: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in raw.split(",") if part.strip())
