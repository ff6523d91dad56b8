"""Where each service of a stack listens: computed from the stack's name alone."""

import os
import zlib
from dataclasses import dataclass

from stack import places
from stack.errors import StackError

HOST = "127.0.0.1"
BASES = {"dev": 21000, "test": 22000}
S3_ACCESS_KEY = "audit-trail"
S3_SECRET_KEY = "audit-trail-secret"
BROKERS = 3

BROKER, CONTROLLER = 0, 10  # plus the node, from 1
ELASTICSEARCH, ELASTICSEARCH_TRANSPORT = 20, 21
REGISTRY, REGISTRY_MANAGEMENT = 30, 31
S3 = 40
POSTGRES = 50
REDIS = 60
BEHIND_PROXY, PROXY = 70, 80  # plus the node, from 1


@dataclass(frozen=True)
class Addresses:
    """What clients of a stack need to connect."""

    kafka_bootstrap: str
    elasticsearch_url: str
    registry_url: str
    s3_url: str
    s3_access_key: str
    s3_secret_key: str
    postgres: tuple[str, int]
    redis_url: str


def base_port(name: str) -> int:
    """First of the hundred ports of a stack: below the ephemeral range, or STACK_PORT_BASE."""
    override = os.environ.get("STACK_PORT_BASE")
    if override:
        return _checked(override)
    return BASES.get(name) or 23000 + 100 * (zlib.crc32(name.encode()) % 80)


def _checked(override: str) -> int:
    if not override.isdecimal() or not 1024 <= int(override) <= 65400:
        raise StackError(
            f"STACK_PORT_BASE={override!r} is not a port.",
            "give a number from 1024 to 65400; the stack uses the hundred ports from there.",
        )
    return int(override)


def recorded_brokers(name: str) -> int | None:
    """Number of Kafka brokers the stack's data was made for; None before the first `up`."""
    try:
        return int((places.state(name) / "brokers").read_text())
    except FileNotFoundError:
        return None


def record_brokers(name: str, brokers: int) -> None:
    """Remember the number of brokers, which the data depends on from now on."""
    path = places.state(name) / "brokers"
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(str(brokers))
    unfinished.rename(path)


def addresses(name: str | None = None) -> Addresses:
    """Where the services of a stack listen (default: the stack chosen by STACK), running or not."""
    name = name or places.stack_name()
    base = base_port(name)
    brokers = recorded_brokers(name) or BROKERS
    return Addresses(
        kafka_bootstrap=",".join(f"{HOST}:{base + BROKER + node}" for node in range(1, brokers + 1)),
        elasticsearch_url=f"http://{HOST}:{base + ELASTICSEARCH}",
        registry_url=f"http://{HOST}:{base + REGISTRY}/apis/ccompat/v7",
        s3_url=f"http://{HOST}:{base + S3}",
        s3_access_key=S3_ACCESS_KEY,
        s3_secret_key=S3_SECRET_KEY,
        postgres=(HOST, base + POSTGRES),
        redis_url=f"redis://{HOST}:{base + REDIS}/0",
    )
