import json
from hashlib import sha256

import pytest

from audittrail import conf, contracts
from audittrail.archive import large_payloads
from audittrail.archive.object_storage import archive_storage
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
