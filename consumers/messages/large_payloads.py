"""Large payloads as the stages use them: an object store that is away is waited for, an object that is not what it
should be is a rejection.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypedDict

from audittrail import conf as audit
from audittrail import contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import ObjectStoreError
from audittrail.contracts.codec import Codec, UndecodableEvent
from audittrail.events.versions import is_reference
from consumers.errors import NotReady
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages.decoding import Decoded, rejection
from consumers.records import Rejection


class HexReference(TypedDict):
    """Where bytes lie in object storage, as JSON can hold it: SHA-256, hexadecimal, and size in bytes."""

    sha256: str
    size: int


def whole(decoded: list[Decoded]) -> tuple[list[Decoded], list[Rejection]]:
    """The events with what they left in object storage, and those for which it is not there. Raises NotReady."""
    complete: list[Decoded] = []
    rejections: list[Rejection] = []
    for record, event in decoded:
        try:
            complete.append((record, _resolved(event) if is_reference(event) else event))
        except large_payloads.DanglingPayload as error:
            rejections.append(rejection(record, event, "payload_missing", str(error)))
        except (large_payloads.AlteredPayload, UndecodableEvent) as error:
            rejections.append(rejection(record, event, "payload_altered", str(error)))
    return complete, rejections


def store(data: bytes) -> HexReference:
    """Keep bytes in object storage; where they lie, as dead letters say it. Raises NotReady."""
    with _available():
        reference = large_payloads.put(data)
    return {"sha256": reference["sha256"].hex(), "size": reference["size"]}


def fetch(reference: HexReference) -> bytes:
    """The bytes that `store` kept. Raises NotReady and payloads.PayloadError."""
    with _available():
        return large_payloads.get({"sha256": bytes.fromhex(reference["sha256"]), "size": reference["size"]})


def _resolved(event: dict) -> dict:
    with _available():
        return large_payloads.resolve(event, lambda data: _raw().decode(data, schemas().by_id))


@cache
def _raw() -> Codec:
    return codec(contracts.RAW)


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise NotReady(f"the object store at {audit.s3_endpoint_url()}: {error.reason}") from error
