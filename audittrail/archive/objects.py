"""The archive's objects in the bucket: listed, read, created once.

Every function raises ObjectStoreUnavailable while the store is away, and ObjectStoreRefusal for a request that it does
not accept.
"""

import re
from collections.abc import Iterator
from typing import Any

from audittrail.archive.object_storage import StoredObject, archive_storage, translated_errors

# Object stores on a folder list what is just being written, under its name and a random ending.
_UPLOADING = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def ensure_bucket() -> None:
    """Create the bucket unless it is there."""
    archive_storage.ensure_bucket()


def create_once(name: str, content: bytes, metadata: dict[str, str]) -> bool:
    """Store an object unless there is one of that name; whether it was stored."""
    return archive_storage.create_once(name, content, metadata)


def replace(name: str, content: bytes, metadata: dict[str, str]) -> None:
    """Store an object, whatever stands under that name: for repairing what is kept as evidence elsewhere."""
    with translated_errors():
        archive_storage.client.put_object(Bucket=archive_storage.bucket_name, Key=name, Body=content, Metadata=metadata)


def read(name: str) -> StoredObject:
    """An object with its metadata. Raises FileNotFoundError."""
    return archive_storage.read(name)


def metadata(name: str) -> dict[str, str]:
    """What was said of an object at its creation. Raises FileNotFoundError."""
    return archive_storage.head(name)


def listed(prefix: str, after: str = "") -> list[str]:
    """Names of the objects that start with `prefix`, in order, those after `after` only."""
    with translated_errors():
        keys = [item["Key"] for page in _pages(Prefix=prefix, StartAfter=after) for item in page.get("Contents", ())]
    return [key for key in keys if not _UPLOADING.search(key)]


def folders(prefix: str) -> list[str]:
    """Prefixes one level below `prefix`, each ending in a slash, by name."""
    with translated_errors():
        return [
            item["Prefix"] for page in _pages(Prefix=prefix, Delimiter="/") for item in page.get("CommonPrefixes", ())
        ]


def delete(name: str) -> None:
    """Delete an object, if there is one of that name."""
    with translated_errors():
        archive_storage.client.delete_object(Bucket=archive_storage.bucket_name, Key=name)


def _pages(**selection: str) -> Iterator[dict[str, Any]]:  # Any: answers of boto3
    pages: Iterator[dict[str, Any]] = archive_storage.client.get_paginator("list_objects_v2").paginate(
        Bucket=archive_storage.bucket_name, **selection
    )
    return pages
