"""The schema registry as the consumers use it: ids of contracts and schemas by id, each asked for once in the life of a
process.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import overload

import httpx
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from audittrail import contracts
from audittrail.contracts import EnrichedContract, RawContract, SchemaDocument
from audittrail.contracts.codec import Codec
from audittrail.env.addresses import without_credentials
from audittrail.events.event import EnrichedEvent, Event
from consumers import conf
from consumers.errors import NotReady

TIMEOUT_SECONDS = 5
LARGEST_ID = 2**31 - 1

# One line for each request is too much for a message of unknown schema.
logging.getLogger("httpx").setLevel(logging.WARNING)


def client() -> SchemaRegistryClient:
    """A client that answers or fails within seconds: who calls it knows how to wait. One for a process: to make one
    takes 50 ms.
    """
    return _client(conf.schema_registry_url())


@cache
def _client(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": url, "timeout": TIMEOUT_SECONDS, "max.retries": 0})


def schema_of(contract: str, version: int) -> Schema:
    """A kept version of a contract as the registry takes it."""
    return Schema(contracts.text(contract, version), contracts.schema_type(contract))


class Schemas:
    """Schemas of one registry, remembered without end: what an id stands for never changes."""

    def __init__(self, registry: SchemaRegistryClient):
        self._registry = registry
        self._ids: dict[tuple[str, int], int] = {}
        self._schemas: dict[int, SchemaDocument] = {}

    def id_of(self, contract: str, version: int) -> int:
        """The id a contract's version is registered under. Raises NotReady: the registry is away, or does not have it
        yet.
        """
        if (contract, version) not in self._ids:
            found = self._ids[contract, version] = self._look_up(contract, version)
            # What it stands for is known: no second question, for which the registry might be away.
            self._schemas.setdefault(found, json.loads(contracts.text(contract, version)))
        return self._ids[contract, version]

    def by_id(self, schema_id: int) -> SchemaDocument:
        """The schema registered under an id. Raises LookupError for an id that does not exist, NotReady when the
        registry is away.
        """
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._fetch(schema_id)
        return self._schemas[schema_id]

    def _look_up(self, contract: str, version: int) -> int:
        subject = conf.subject(f"{conf.prefix()}{contract}")
        missing = NotReady(f"{subject} has no version {version} in the schema registry: run manage.py register_schemas")
        with _translated(missing):
            found = self._registry.lookup_schema(subject, schema_of(contract, version)).schema_id
        if found is None:
            raise missing
        return found

    def _fetch(self, schema_id: int) -> SchemaDocument:
        missing = LookupError(schema_id)
        if schema_id > LARGEST_ID:
            raise missing
        with _translated(missing):
            text = self._registry.get_schema(schema_id).schema_str
        if text is None:
            raise missing
        document: SchemaDocument = json.loads(text)
        return document


@contextmanager
def _translated(missing: Exception) -> Iterator[None]:
    """Raise `missing` for what the registry does not have, and NotReady where it does not answer as it should."""
    try:
        yield
    except SchemaRegistryError as error:
        if error.http_status_code == 404:
            raise missing from error
        raise NotReady(without_credentials(f"the schema registry answers {error}")) from error
    except httpx.HTTPError as error:
        raise NotReady(_away(error)) from error


def _away(error: httpx.HTTPError) -> str:
    return without_credentials(
        f"the schema registry at {conf.schema_registry_url()} is away: {str(error) or type(error).__name__}"
    )


@cache
def schemas() -> Schemas:
    """The process's memory of the registry."""
    return Schemas(client())


@overload
def codec(contract: RawContract) -> Codec[Event]: ...
@overload
def codec(contract: EnrichedContract) -> Codec[EnrichedEvent]: ...
def codec(contract: RawContract | EnrichedContract) -> Codec[Event] | Codec[EnrichedEvent]:
    """A codec for the newest version of a contract. Raises NotReady."""
    version = contracts.latest(contract)
    return Codec(contract, version, schemas().id_of(contract, version))
