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
from audittrail.contracts.codec import AnyEvent, Codec, UndecodableEvent
from audittrail.env.addresses import without_credentials
from audittrail.events.event import Event
from audittrail.events.versions import is_reference
from consumers.errors import NotReady
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages.decoding import Decoded, rejection
from consumers.records import Rejection


class HexReference(TypedDict):
    """Where bytes are in object storage, as JSON can hold it: SHA-256, hexadecimal, and size in bytes."""

    sha256: str
    size: int


class UnusablePayload(Exception):
    """What an event left in object storage is not there, or is something else; `reason` is a short code, `detail` says
    it in words.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def resolve(event: AnyEvent) -> AnyEvent:
    """The event with what it left in object storage. Raises UnusablePayload, NotReady."""
    if not is_reference(event):
        return event
    try:
        with _available():
            return large_payloads.resolve(event, lambda data: _raw().decode(data, schemas().by_id))
    except large_payloads.DanglingPayload as error:
        raise UnusablePayload("payload_missing", str(error)) from error
    except (large_payloads.AlteredPayload, UndecodableEvent) as error:
        raise UnusablePayload("payload_altered", str(error)) from error


def resolve_all(decoded: list[Decoded[AnyEvent]]) -> tuple[list[Decoded[AnyEvent]], list[Rejection]]:
    """The events with what they left in object storage, and those for which it cannot be used. Raises NotReady."""
    complete: list[Decoded[AnyEvent]] = []
    rejections: list[Rejection] = []
    for record, event in decoded:
        try:
            complete.append(Decoded(record, resolve(event)))
        except UnusablePayload as error:
            rejections.append(rejection(record, event, error.reason, error.detail))
    return complete, rejections


def store(data: bytes) -> HexReference:
    """Keep bytes in object storage; the reference to them, as dead letters have it. Raises NotReady."""
    with _available():
        reference = large_payloads.put(data)
    return {"sha256": reference["sha256"].hex(), "size": reference["size"]}


def fetch(reference: HexReference) -> bytes:
    """The bytes that `store` kept. Raises NotReady and payloads.PayloadError."""
    with _available():
        return large_payloads.get({"sha256": bytes.fromhex(reference["sha256"]), "size": reference["size"]})


@cache
def _raw() -> Codec[Event]:
    return codec(contracts.RAW)


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise NotReady(f"the object store at {without_credentials(audit.s3_endpoint_url())}: {error.reason}") from error
