"""A new trail for a run that is no test: a database, topics and contracts of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka.admin import AdminClient

from testkit.faults.trail import Trail


@contextmanager
def new_trail(label: str) -> Iterator[Trail]:
    """On a stack that runs; database and topics are deleted at the end, unless it fails."""
    name = f"{label}{int(time.time())}"
    trail = Trail(f"{name}-", name)
    with psycopg.connect(**trail.superuser | {"dbname": "postgres"}, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" OWNER audit_owner')
    for command in (["migrate", "--verbosity", "0"], ["create_topics"], ["register_schemas"]):
        trail.manage(*command)
    yield trail
    with psycopg.connect(**trail.superuser | {"dbname": "postgres"}, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin = AdminClient({"bootstrap.servers": trail.addresses.kafka_bootstrap})
    for future in admin.delete_topics([trail.raw, trail.enriched, trail.dead_letters]).values():
        future.result()
