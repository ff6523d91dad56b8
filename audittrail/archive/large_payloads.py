"""Events and messages too large for Kafka: kept in object storage under the hash of their content, and referred to.

An object is stored at ``payloads/<first 2 hexadecimal digits>/<all 64>`` of its SHA-256, is written once, and lives as
long as the archive. Functions that ask for one raise ObjectStoreError when the store does not do it.
"""

from collections.abc import Callable
from copy import copy
from hashlib import sha256
from uuid import UUID

from audittrail import conf
from audittrail.archive.object_storage import archive_storage
from audittrail.contracts.codec import AnyEvent
from audittrail.events.event import Event, PayloadReference
from audittrail.events.versions import is_reference


class PayloadError(Exception):
    """A reference that does not lead to what it names."""


class DanglingPayload(PayloadError):
    """There is no object where the reference points."""


class AlteredPayload(PayloadError):
    """The object is not the one that was stored: another size, another hash, or another event."""


def name_of(digest: bytes) -> str:
    """Name of the object with this SHA-256."""
    return f"payloads/{digest.hex()[:2]}/{digest.hex()}"


def put(data: bytes) -> PayloadReference:
    """Store bytes, once; their reference. The same bytes always have the same one."""
    digest = sha256(data).digest()
    archive_storage.create_once(name_of(digest), data)
    return {"sha256": digest, "size": len(data)}


def get(reference: PayloadReference) -> bytes:
    """The bytes of a reference, checked. Raises DanglingPayload or AlteredPayload."""
    name = name_of(reference["sha256"])
    try:
        data = archive_storage.read(name).content
    except FileNotFoundError as error:
        raise DanglingPayload(f"{name} is not in bucket {conf.archive_bucket()}") from error
    if len(data) != reference["size"]:
        raise AlteredPayload(f"{name} has {len(data)} bytes instead of {reference['size']}")
    if sha256(data).digest() != reference["sha256"]:
        raise AlteredPayload(f"{name} has content of another hash")
    return data


def without_content(event: Event) -> Event:
    """The event without what a reference leaves to the object: changes, labels and keyframe."""
    return {**event, "changes": [], "labels": {}, "keyframe": None}


def shrink(event: Event, encode: Callable[[Event], bytes]) -> bytes:
    """The event encoded; above conf.event_limit() bytes its encoding goes to object storage, and a reference to it is
    encoded instead.
    """
    data = encode(event)
    if len(data) <= conf.event_limit():
        return data
    return encode({**without_content(event), "payload": put(data)})


def resolve(event: AnyEvent, decode: Callable[[bytes], Event]) -> AnyEvent:
    """The complete event: itself, or with what its reference left out. ``payload`` stays, as the reference to
    that.

    ``decode`` turns framed bytes into an event. Raises DanglingPayload, AlteredPayload, or what ``decode`` raises.
    """
    reference = event["payload"]
    if reference is None or not is_reference(event):
        return event
    stored = decode(get(reference))
    if _identity(stored) != _identity(event):
        raise AlteredPayload(f"{name_of(reference['sha256'])} is another event than the one that refers to it")
    complete = copy(event)
    complete["changes"], complete["labels"] = stored["changes"], stored["labels"]
    complete["keyframe"] = stored["keyframe"]
    return complete


def _identity(event: Event) -> tuple[UUID, str, int, bytes]:
    return event["event_id"], event["article_id"], event["sequence"], event["hash"]
