"""Object storage of the archive and of large payloads: django-storages' S3, and objects that are created once and never
replaced.

This module alone knows the errors of the client (botocore); everybody else knows ObjectStoreError.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import storages
from django.utils.functional import LazyObject, cached_property
from storages.backends.s3 import S3Storage

from audittrail import conf
from audittrail.env.addresses import without_credentials

_CLIENT = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "path"},
    signature_version="s3v4",
)
_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)
# Not allowed (credentials can be put right), a creation under way for too long, too many requests.
_NOT_NOW = (401, 403, 409, 429)


class ObjectStoreError(Exception):
    """The object store has not done what was asked. `reason`: what its client said of it. Neither shows credentials."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(without_credentials(message))
        self.reason = without_credentials(reason)


class ObjectStoreUnavailable(ObjectStoreError):
    """The object store is away or overloaded; the text says which. To be tried again later."""


class ObjectStoreRefusal(ObjectStoreError):
    """The object store does not accept the request; another attempt would fare the same."""


class StoredObject(NamedTuple):
    """An object as read."""

    content: bytes
    metadata: dict[str, str]


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises what botocore raises as ObjectStoreUnavailable, if it says "not now", else as ObjectStoreRefusal."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
            raise ObjectStoreUnavailable(
                f"There is no bucket {conf.archive_bucket()} yet: the archive sink makes it when it starts.", str(error)
            ) from error
        status = _status(error)
        if status not in _NOT_NOW and status < 500:
            raise ObjectStoreRefusal(str(error), str(error)) from error
        raise ObjectStoreUnavailable(
            f"The object store at {conf.s3_endpoint_url()} answers {status}.", str(error)
        ) from error
    except BotoCoreError as error:
        raise ObjectStoreUnavailable(
            f"The object store at {conf.s3_endpoint_url()} does not answer ({type(error).__name__}).", str(error)
        ) from error


class ArchiveStorage(S3Storage):  # type: ignore[misc]  # django-storages brings no types
    """The archive's bucket, as the settings name it (audittrail.conf).

    Beside Django's storage API, which cannot create conditionally. All methods of its own raise ObjectStoreError.
    """

    def get_default_settings(self) -> dict[str, Any]:  # Any: as django-storages declares it.
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {
            "access_key": conf.s3_access_key(),
            "secret_key": conf.s3_secret_key(),
            "endpoint_url": conf.s3_endpoint_url(),
            "bucket_name": conf.archive_bucket(),
            "client_config": _CLIENT,
        }

    def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        with translated_errors():
            try:
                self.client.head_bucket(Bucket=self.bucket_name)
            except ClientError as error:
                if _status(error) != 404:
                    raise
                self._create_bucket()

    def create_once(self, name: str, content: bytes, metadata: dict[str, str] | None = None) -> bool:
        """Store an object unless there is one of that name, however many try at once; whether it was stored.

        False also where an attempt was stored but its answer lost: a caller that cares compares what is there.
        """
        with translated_errors():
            for pause in (*_CONFLICT_PAUSES, None):
                try:
                    self.client.put_object(
                        Bucket=self.bucket_name, Key=name, Body=content, Metadata=metadata or {}, IfNoneMatch="*"
                    )
                    return True
                except ClientError as error:
                    if _status(error) == 412:
                        return False
                    # 409: another creation of the same name is under way; who has won shows in a moment.
                    if _status(error) != 409 or pause is None:
                        raise
                    time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def head(self, name: str) -> dict[str, str]:
        """The metadata an object was created with. Raises FileNotFoundError."""
        with translated_errors(), _missing_is_not_found(name):
            metadata: dict[str, str] = self.client.head_object(Bucket=self.bucket_name, Key=name)["Metadata"]
            return metadata

    def read(self, name: str) -> StoredObject:
        """An object with its metadata. Raises FileNotFoundError."""
        with translated_errors(), _missing_is_not_found(name):
            answer = self.client.get_object(Bucket=self.bucket_name, Key=name)
            return StoredObject(answer["Body"].read(), answer["Metadata"])

    @cached_property
    def client(self) -> Any:  # boto3 makes the methods of its clients at run time
        """boto3's client, shared by all threads, as it may be: each thread's own connection would take 0.4 s of CPU to
        make.
        """
        return self.connection.meta.client

    def _create_bucket(self) -> None:
        try:
            self.client.create_bucket(Bucket=self.bucket_name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


@contextmanager
def _missing_is_not_found(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _status(error) != 404:
            raise
        raise FileNotFoundError(f"The archive has no object {name}.") from error


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


class _Archive(LazyObject):  # type: ignore[type-arg]  # generic in the stubs only
    def _setup(self) -> None:
        self._wrapped = storages["audit"]


archive_storage: ArchiveStorage = _Archive()  # type: ignore[assignment]  # stands for what it makes at first use
"""The storage under the alias `audit`: apart from the default one, which holds the CMS's own media."""
