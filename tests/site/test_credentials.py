"""No credentials of an address are shown or logged, whichever server is away."""

import io
import logging
from typing import Any

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings
from django.core.management import CommandError, call_command
from elasticsearch import Elasticsearch

from audittrail.archive import object_storage
from audittrail.search import index
from consumers.errors import NotReady
from consumers.kafka import schema_registry

NOWHERE = "127.0.0.1:1"
WITH_CREDENTIALS = f"http://reader:s3cret@{NOWHERE}"

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def away(monkeypatch) -> None:
    for name in ("ELASTICSEARCH_URL", "SCHEMA_REGISTRY_URL", "S3_ENDPOINT_URL"):
        monkeypatch.setenv(name, WITH_CREDENTIALS)


def shows_only_the_place(text: str) -> bool:
    return NOWHERE in text and "s3cret" not in text and "reader" not in text


def test_of_the_search_index(away, monkeypatch):
    monkeypatch.setattr(index, "client", lambda: Elasticsearch(WITH_CREDENTIALS, max_retries=0))
    with pytest.raises(index.SearchUnavailable) as caught:
        index.count()
    assert shows_only_the_place(str(caught.value))


def test_of_the_schema_registry(away):
    with pytest.raises(NotReady) as caught:
        schema_registry.Schemas(schema_registry.client()).by_id(1)
    assert shows_only_the_place(str(caught.value))


def test_of_the_registry_in_a_command(away):
    with pytest.raises(CommandError) as caught:
        call_command("register_schemas", "--check", stdout=io.StringIO())
    assert shows_only_the_place(str(caught.value))


def test_of_the_object_store(away):
    with pytest.raises(object_storage.ObjectStoreUnavailable) as caught, object_storage.translated_errors():
        raise EndpointConnectionError(endpoint_url=WITH_CREDENTIALS)
    assert shows_only_the_place(str(caught.value)) and shows_only_the_place(caught.value.reason)


def test_in_a_traceback_in_the_log(monkeypatch):
    handler = logging.StreamHandler(log := io.StringIO())
    formatters: Any = settings.LOGGING["formatters"]
    configured = dict(formatters["structured"])
    handler.setFormatter(configured.pop("()")(**configured))
    logger = logging.getLogger("of-a-library")
    monkeypatch.setattr(logger, "handlers", [handler])
    try:
        httpx.Response(401, request=httpx.Request("GET", WITH_CREDENTIALS)).raise_for_status()
    except httpx.HTTPStatusError:
        logger.exception("%s does not answer", WITH_CREDENTIALS)
    assert "HTTPStatusError" in log.getvalue() and shows_only_the_place(log.getvalue())
