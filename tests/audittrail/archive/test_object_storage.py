"""The bucket as the archive and large payloads use it: created once, and errors that say whether to wait."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.stub import Stubber

from audittrail.archive.object_storage import (
    ArchiveStorage,
    ObjectStoreRefusal,
    ObjectStoreUnavailable,
    archive_storage,
)

Answers = tuple[ArchiveStorage, Stubber]


def test_making_sure_of_the_bucket_twice_is_as_once(own_bucket):
    archive_storage.ensure_bucket()


def test_an_object_is_created_once(own_bucket):
    assert archive_storage.create_once("once", b"first", {"end": "42"})
    assert not archive_storage.create_once("once", b"second", {"end": "43"})
    assert archive_storage.read("once") == (b"first", {"end": "42"})
    assert archive_storage.head("once") == {"end": "42"}


def test_of_many_at_once_one_creates(own_bucket):
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: archive_storage.create_once("race", b"%d" % n), range(32)))
    assert created.count(True) == 1
    assert archive_storage.read("race").content == b"%d" % created.index(True)


@pytest.mark.parametrize("ask", [ArchiveStorage.head, ArchiveStorage.read])
def test_what_is_not_there_is_not_found(own_bucket, ask: Callable[[ArchiveStorage, str], object]):
    with pytest.raises(FileNotFoundError, match="no object nothing"):
        ask(archive_storage, "nothing")


def test_wrong_credentials_are_an_error_and_not_an_existing_object(own_bucket):
    with pytest.raises(ObjectStoreUnavailable, match="answers 403"):
        ArchiveStorage(secret_key="wrong").create_once("refused", b"")


@pytest.mark.enable_socket
def test_a_store_that_is_away_is_an_error_of_its_own():
    with pytest.raises(ObjectStoreUnavailable, match=r"does not answer \(EndpointConnectionError\)"):
        ArchiveStorage(endpoint_url="http://127.0.0.1:9").create_once("away", b"")


@pytest.fixture
def answers() -> Iterator[Answers]:
    """A storage whose server answers a creation as the test says, and the stubber to say it with."""
    storage = ArchiveStorage()
    with Stubber(storage.client) as stubber:
        yield storage, stubber
        stubber.assert_no_pending_responses()


def test_a_creation_under_way_elsewhere_is_waited_for(answers: Answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    assert not storage.create_once("contended", b"")


def test_a_conflict_without_end_is_an_error(answers: Answers):
    storage, stubber = answers
    for _ in range(5):
        stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    with pytest.raises(ObjectStoreUnavailable, match="answers 409") as caught:
        storage.create_once("contended", b"")
    assert "ConditionalRequestConflict" in caught.value.reason


def test_a_request_that_the_store_does_not_accept_is_no_matter_of_waiting(answers: Answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "KeyTooLongError", http_status_code=400)
    with pytest.raises(ObjectStoreRefusal, match="KeyTooLongError"):
        storage.create_once("long", b"")


def test_a_bucket_that_is_not_there_yet_is_waited_for(answers: Answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
    with pytest.raises(ObjectStoreUnavailable, match="the archive sink makes it when it starts"):
        storage.create_once("early", b"")
