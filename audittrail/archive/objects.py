"""The archive's objects in the bucket: listed, read, created once."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from audittrail import conf
from audittrail.archive.object_storage import archive_storage

# Object stores on a folder list what is just being written, under its name and a random ending.
_UPLOADING = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


# Not allowed (credentials can be put right), a creation under way for too long, too many requests.
_NOT_NOW = (401, 403, 409, 429)


class ArchiveUnavailable(Exception):
    """The object store is away or overloaded; the text says which. To be tried again later."""


class Stored(NamedTuple):
    """An object as read."""

    content: bytes
    metadata: dict[str, str]


@contextmanager
def available() -> Iterator[None]:
    """Turns whatever says "not now" into ArchiveUnavailable; a refusal of the request itself passes."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
            raise ArchiveUnavailable(
                f"There is no bucket {conf.archive_bucket()} yet: the archive sink makes it when it starts."
            ) from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status not in _NOT_NOW and status < 500:
            raise
        raise ArchiveUnavailable(f"The object store at {conf.s3_endpoint_url()} answers {status}.") from error
    except BotoCoreError as error:
        raise ArchiveUnavailable(
            f"The object store at {conf.s3_endpoint_url()} does not answer ({type(error).__name__})."
        ) from error


def ensure_bucket() -> None:
    """Raises ArchiveUnavailable."""
    with available():
        archive_storage.ensure_bucket()


def create_once(name: str, content: bytes, metadata: dict[str, str]) -> bool:
    """Store an object unless there is one of that name; whether it was stored. Raises ArchiveUnavailable."""
    with available():
        return archive_storage.create_once(name, content, metadata=metadata)


def replace(name: str, content: bytes, metadata: dict[str, str]) -> None:
    """Store an object, whatever stands under that name: for mending what is kept as evidence elsewhere. Raises
    ArchiveUnavailable.
    """
    with available():
        archive_storage.client.put_object(Bucket=archive_storage.bucket_name, Key=name, Body=content, Metadata=metadata)


def read(name: str) -> Stored:
    """Raises FileNotFoundError, ArchiveUnavailable."""
    with available(), _found(name):
        answer = archive_storage.client.get_object(Bucket=archive_storage.bucket_name, Key=name)
        return Stored(answer["Body"].read(), answer["Metadata"])


def metadata(name: str) -> dict[str, str]:
    """What was said of an object at its creation. Raises FileNotFoundError, ArchiveUnavailable."""
    with available():
        return archive_storage.head(name)


def listed(prefix: str, after: str = "") -> list[str]:
    """Names of the objects that start with `prefix`, in order, those after `after` only. Raises ArchiveUnavailable."""
    with available():
        keys = [item["Key"] for page in _pages(Prefix=prefix, StartAfter=after) for item in page.get("Contents", ())]
    return [key for key in keys if not _UPLOADING.search(key)]


def folders(prefix: str) -> list[str]:
    """Prefixes one level below `prefix`, each ending in a slash, by name. Raises ArchiveUnavailable."""
    with available():
        return [
            item["Prefix"] for page in _pages(Prefix=prefix, Delimiter="/") for item in page.get("CommonPrefixes", ())
        ]


def delete(name: str) -> None:
    """Raises ArchiveUnavailable."""
    with available():
        archive_storage.client.delete_object(Bucket=archive_storage.bucket_name, Key=name)


def _pages(**selection) -> Iterator[dict]:
    return archive_storage.client.get_paginator("list_objects_v2").paginate(
        Bucket=archive_storage.bucket_name, **selection
    )


@contextmanager
def _found(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        raise FileNotFoundError(f"The archive has no object {name}.") from error
