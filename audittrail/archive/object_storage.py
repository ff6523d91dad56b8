"""Object storage of the archive and of large payloads: django-storages' S3, and objects that are created once and never
replaced.
"""

import time

from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.files.storage import storages
from django.utils.functional import LazyObject, cached_property
from storages.backends.s3 import S3Storage

from audittrail import conf

_CLIENT = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "path"},
    signature_version="s3v4",
)
_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4)


class ArchiveStorage(S3Storage):
    """The archive's bucket, as the settings name it (audittrail.conf).

    Beside Django's storage API, which cannot create conditionally. What botocore raises when the store is away passes
    through: BotoCoreError, or ClientError with a status of 429 or 5xx.
    """

    def get_default_settings(self) -> dict:
        return super().get_default_settings() | {
            "access_key": conf.s3_access_key(),
            "secret_key": conf.s3_secret_key(),
            "endpoint_url": conf.s3_endpoint_url(),
            "bucket_name": conf.archive_bucket(),
            "client_config": _CLIENT,
        }

    def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        try:
            self.client.head_bucket(Bucket=self.bucket_name)
        except ClientError as error:
            if _status(error) != 404:
                raise
            self._create_bucket()

    def create_once(self, name: str, data: bytes, metadata: dict[str, str] | None = None) -> bool:
        """Store an object unless there is one of that name, however many try at once; whether it was stored.

        False also where an attempt was stored but its answer lost: whoever cares compares what is there.
        """
        for pause in (*_CONFLICT_PAUSES, None):
            try:
                self.client.put_object(
                    Bucket=self.bucket_name, Key=name, Body=data, Metadata=metadata or {}, IfNoneMatch="*"
                )
                return True
            except ClientError as error:
                if _status(error) == 412:
                    return False
                # 409: another creation of the same name is under way; who has won shows in a moment.
                if _status(error) != 409 or pause is None:
                    raise
                time.sleep(pause)

    def head(self, name: str) -> dict[str, str]:
        """The metadata an object was created with. Raises FileNotFoundError."""
        return self._asked(self.client.head_object, name)["Metadata"]

    def read(self, name: str) -> bytes:
        """The content of an object. Raises FileNotFoundError."""
        return self._asked(self.client.get_object, name)["Body"].read()

    @cached_property
    def client(self):
        """boto3's client, shared by all threads, as it may be: each thread's own connection would take 0.4 s of CPU to
        make.
        """
        return self.connection.meta.client

    def _asked(self, question, name: str) -> dict:
        try:
            return question(Bucket=self.bucket_name, Key=name)
        except ClientError as error:
            if _status(error) != 404:
                raise
            raise FileNotFoundError(f"no object {name} in bucket {self.bucket_name}") from error

    def _create_bucket(self) -> None:
        try:
            self.client.create_bucket(Bucket=self.bucket_name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


class _Archive(LazyObject):
    def _setup(self) -> None:
        self._wrapped = storages["audit"]


archive_storage = _Archive()
"""The storage under the alias `audit`: apart from the default one, which holds the CMS's own media."""
