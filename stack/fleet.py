"""The services of one stack, and which of them a command means."""

from collections.abc import Collection

from stack import endpoints
from stack.errors import StackError
from stack.services.elasticsearch import Elasticsearch
from stack.services.kafka import Kafka
from stack.services.postgres import Postgres
from stack.services.redis import Redis
from stack.services.registry import Registry
from stack.services.s3 import S3
from stack.services.service import Service, Stack

NAMES = ("kafka", "elasticsearch", "registry", "s3", "postgres", "redis")


def load(name: str, brokers: int | None = None) -> Stack:
    """A stack by name. Raises StackError if its data was made for another number of brokers."""
    recorded = endpoints.recorded_brokers(name)
    if brokers and recorded and brokers != recorded:
        raise StackError(
            f"Stack {name} has data for {recorded} Kafka broker(s), not {brokers}.",
            f"start it with --brokers {recorded}, or delete its data first: "
            f"`STACK={name} python -m stack down --delete-data`.",
        )
    return Stack(name, endpoints.base_port(name), brokers or recorded or endpoints.BROKERS)


def services(stack: Stack) -> list[Service]:
    """All of a stack, in the order they are shown."""
    brokers = [Kafka(stack, node) for node in range(1, stack.brokers + 1)]
    return [*brokers, Elasticsearch(stack), Registry(stack), S3(stack), Postgres(stack), Redis(stack)]


def select(stack: Stack, names: Collection[str], node: int | None = None) -> list[Service]:
    """The named services (all, if none is named), or one node of Kafka. Raises StackError for what there is not."""
    if unknown := set(names) - set(NAMES):
        raise StackError(f"There is no service {', '.join(sorted(unknown))}.", f"name some of {', '.join(NAMES)}.")
    chosen = [service for service in services(stack) if not names or service.name in names]
    if node is not None:
        chosen = [service for service in chosen if service.name == "kafka" and service.node == node]
    if not chosen:
        raise StackError(f"There is no node {node}.", f"--node is for kafka, from 1 to {stack.brokers}.")
    return chosen


def with_needs(stack: Stack, names: Collection[str]) -> list[Service]:
    """The named services (all, if none is named), and those they cannot run without."""
    needs = {need for service in select(stack, names) for need in service.needs}
    return select(stack, needs.union(names) if names else ())
