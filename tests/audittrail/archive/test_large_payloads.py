import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from botocore.stub import Stubber

from audittrail import conf, contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import (
    ArchiveStorage,
    ObjectStoreRefusal,
    ObjectStoreUnavailable,
    archive_storage,
)
from audittrail.contracts.codec import Codec
from audittrail.events.event import Event
from testkit.audittrail.events import raw_event, text_change

pytestmark = pytest.mark.service

CODEC = Codec(contracts.RAW, contracts.latest(contracts.RAW), 5)
LARGE = raw_event(changes=[text_change("body", (0, "", "word " * 20_000))])


@pytest.fixture(scope="module", autouse=True)
def bucket():
    """The run's own bucket, emptied and removed at the end."""
    archive_storage.ensure_bucket()
    yield
    archive_storage.bucket.objects.delete()
    archive_storage.bucket.delete()


def decode(data):
    return CODEC.decode(data, lambda _: json.loads(contracts.text(contracts.RAW, contracts.latest(contracts.RAW))))


def stored_as(data, reference):
    """Tamper: put other bytes where the reference points."""
    archive_storage.bucket.put_object(Key=large_payloads.name_of(reference["sha256"]), Body=data)


def test_making_sure_of_the_bucket_twice_is_as_once():
    archive_storage.ensure_bucket()


def test_an_object_is_created_once():
    assert archive_storage.create_once("once", b"first", {"end": "42"})
    assert not archive_storage.create_once("once", b"second", {"end": "43"})
    assert archive_storage.read("once").content == b"first"
    assert archive_storage.head("once") == {"end": "42"}


def test_of_many_at_once_one_creates():
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: archive_storage.create_once("race", b"%d" % n), range(32)))
    assert created.count(True) == 1
    assert archive_storage.read("race").content == b"%d" % created.index(True)


@pytest.mark.parametrize("ask", [ArchiveStorage.head, ArchiveStorage.read])
def test_what_is_not_there_is_not_found(ask):
    with pytest.raises(FileNotFoundError, match="no object nothing"):
        ask(archive_storage, "nothing")


def test_wrong_credentials_are_an_error_and_not_an_existing_object():
    with pytest.raises(ObjectStoreUnavailable, match="answers 403"):
        ArchiveStorage(secret_key="wrong").create_once("refused", b"")


def test_a_store_that_is_away_is_an_error_of_its_own():
    with pytest.raises(ObjectStoreUnavailable, match=r"does not answer \(EndpointConnectionError\)"):
        ArchiveStorage(endpoint_url="http://127.0.0.1:9").create_once("away", b"")


def test_bytes_come_back_by_their_hash():
    reference = large_payloads.put(b"content")
    assert reference == {"sha256": sha256(b"content").digest(), "size": 7}
    assert large_payloads.put(b"content") == reference
    assert large_payloads.get(reference) == b"content"


def test_a_dangling_payload_is_named():
    with pytest.raises(large_payloads.DanglingPayload, match="payloads/00/0000"):
        large_payloads.get({"sha256": bytes(32), "size": 7})


@pytest.mark.parametrize("altered", [b"CONTENTS", b"longer than it was"])
def test_an_altered_payload_is_named(altered):
    reference = large_payloads.put(b"contents")
    stored_as(altered, reference)
    with pytest.raises(large_payloads.AlteredPayload):
        large_payloads.get(reference)


def test_a_small_event_stays_as_it_is():
    assert large_payloads.shrink(raw_event(), CODEC.encode) == CODEC.encode(raw_event())


def test_a_large_event_is_small_on_the_wire_and_whole_again_for_a_reader():
    data = large_payloads.shrink(LARGE, CODEC.encode)
    assert len(data) < 1024 < conf.event_limit() < len(CODEC.encode(LARGE))
    reference = decode(data)
    assert (reference["changes"], reference["labels"], reference["keyframe"]) == ([], {}, None)
    assert large_payloads.resolve(reference, decode) == LARGE | {"payload": reference["payload"]}


def refuse(data: bytes) -> Event:
    raise AssertionError("nothing is fetched")


def test_resolving_twice_is_as_once():
    event = large_payloads.resolve(decode(large_payloads.shrink(LARGE, CODEC.encode)), decode)
    assert large_payloads.resolve(event, refuse) == event


def test_an_event_without_reference_is_complete():
    assert large_payloads.resolve(raw_event(), refuse) == raw_event()


def test_a_reference_to_another_event_is_refused():
    reference = decode(large_payloads.shrink(LARGE | {"sequence": 8}, CODEC.encode))
    with pytest.raises(large_payloads.AlteredPayload, match="another event"):
        large_payloads.resolve(reference | {"sequence": 7}, decode)


@pytest.fixture
def answers():
    """A storage whose server answers a creation as the test says, and the stubber to say it with."""
    storage = ArchiveStorage()
    with Stubber(storage.client) as stubber:
        yield storage, stubber
        stubber.assert_no_pending_responses()


def test_a_creation_under_way_elsewhere_is_waited_for(answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    assert not storage.create_once("contended", b"")


def test_a_conflict_without_end_is_an_error(answers):
    storage, stubber = answers
    for _ in range(5):
        stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    with pytest.raises(ObjectStoreUnavailable, match="answers 409") as caught:
        storage.create_once("contended", b"")
    assert "ConditionalRequestConflict" in caught.value.reason


def test_a_request_that_the_store_does_not_accept_is_no_matter_of_waiting(answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "KeyTooLongError", http_status_code=400)
    with pytest.raises(ObjectStoreRefusal, match="KeyTooLongError"):
        storage.create_once("long", b"")


def test_a_bucket_that_is_not_there_yet_is_waited_for(answers):
    storage, stubber = answers
    stubber.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
    with pytest.raises(ObjectStoreUnavailable, match="the archive sink makes it when it starts"):
        storage.create_once("early", b"")
