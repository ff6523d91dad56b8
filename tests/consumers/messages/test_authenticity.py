"""Only what was written with a key of ours is believed."""

from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured

from consumers import conf
from consumers.messages.authenticity import HEADER, NOT_AUTHENTIC, UNKNOWN_KEY, Keyring
from consumers.records import Message, Record

OLD, NEW = "o" * 32, "n" * 64
KEYS = Keyring({"old": OLD})
HEADERS: dict[str, bytes | None] = {"ce_id": b"1", "ce_subject": b"newsroom.article:42", "traceparent": b"00-1-2-01"}


def signed(keyring: Keyring = KEYS) -> Record:
    message = Message("t", 3, b"newsroom.article:42", b"value", dict(HEADERS))
    keyring.sign(message)
    return Record("t", 3, 7, 0, message.key, message.headers, message.value)


def reasons(record: Record, keyring: Keyring = KEYS) -> list[str]:
    authentic, rejections = keyring.sort([record])
    assert len(authentic) + len(rejections) == 1
    return [rejection.reason for rejection in rejections]


def test_what_was_signed_is_authentic_wherever_it_lies_in_the_topic():
    assert reasons(signed()) == reasons(replace(signed(), partition=9, offset=1, timestamp_ms=5)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"topic": "u"},
        {"key": b"newsroom.article:43"},
        {"key": None},
        {"key": b"newsroom.article:42v", "value": b"alue"},
        {"value": b"valuE"},
        {"value": None},
        {"headers": signed().headers | {"ce_id": b"2"}},
        {"headers": signed().headers | {"ce_type": b"x"}},
        {"headers": {name: value for name, value in signed().headers.items() if name != "ce_subject"}},
        {"headers": HEADERS},
        {"headers": signed().headers | {HEADER: None}},
        {"headers": signed().headers | {HEADER: b"old:" + b"0" * 32}},
        {"headers": signed().headers | {HEADER: b"old:\xff"}},
    ],
)
def test_what_was_changed_or_copied_elsewhere_is_not(changed):
    assert reasons(replace(signed(), **changed)) == [NOT_AUTHENTIC]


def test_the_trace_may_change_on_the_way():
    record = signed()
    assert reasons(replace(record, headers=record.headers | {"traceparent": b"00-1-3-01"})) == []


def test_keys_are_rotated_by_adding_the_new_one_then_signing_with_it_then_dropping_the_old():
    both, new_first, new = Keyring({"old": OLD, "new": NEW}), Keyring({"new": NEW, "old": OLD}), Keyring({"new": NEW})
    assert reasons(signed(), both) == reasons(signed(both), KEYS) == []
    assert reasons(signed(new_first), both) == reasons(signed(new_first), new) == []
    assert reasons(signed(), new) == reasons(signed(new), KEYS) == [UNKNOWN_KEY]


def test_another_key_of_the_same_id_is_not_the_same():
    assert reasons(signed(Keyring({"old": NEW}))) == [NOT_AUTHENTIC]


def test_unsigned_messages_are_taken_where_that_is_set_and_altered_ones_are_not():
    lenient = Keyring({"old": OLD}, accepts_unsigned=True)
    assert reasons(replace(signed(), headers=HEADERS), lenient) == []
    assert reasons(replace(signed(), value=b"other"), lenient) == [NOT_AUTHENTIC]


def test_records_stay_in_order():
    records = [replace(signed(), offset=number) for number in range(4)]
    records[2] = replace(records[2], value=b"other")
    authentic, rejections = KEYS.sort(records)
    assert (authentic, [each.record for each in rejections]) == ([records[0], records[1], records[3]], [records[2]])


def test_the_first_key_of_the_setting_signs(monkeypatch):
    monkeypatch.setenv("AUDIT_MESSAGE_KEYS", f"2027:{NEW}, 2026:{OLD}")
    assert list(conf.message_keys().items()) == [("2027", NEW), ("2026", OLD)]


@pytest.mark.parametrize("written", ["secret-secret-secret-secret-secret", "a:short-secret", f"a b:{OLD}", f"a:{OLD},"])
def test_keys_that_are_none_are_refused_and_not_shown(monkeypatch, written):
    monkeypatch.setenv("AUDIT_MESSAGE_KEYS", written)
    with pytest.raises(ImproperlyConfigured, match="AUDIT_MESSAGE_KEYS is not id:key") as caught:
        conf.message_keys()
    assert "secret-" not in str(caught.value)
