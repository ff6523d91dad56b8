"""Whether a message is one of ours: a keyed MAC over what it says, in a header.

Whoever reaches Kafka can write to its topics. What the relay and the stages write carries a MAC (BLAKE2b with a key,
RFC 7693) of the topic, the key, the CloudEvents attributes and the value, in which are the article, its number and the
hash of the event before: a message altered, renumbered, or copied to another topic, article or number is not authentic.
A copy of the whole is: every stage takes the same event as one. Who only reads the topics needs no key.
"""

import hashlib
import hmac
import struct
from collections.abc import Mapping

from consumers import conf
from consumers.records import Message, Record, Rejection

HEADER = "audit_mac"
"""`<id of the key>:<MAC, hexadecimal>`."""

NOT_AUTHENTIC = "not_authentic"
UNKNOWN_KEY = "unknown_message_key"

_ATTRIBUTES = ("ce_id", "ce_source", "ce_subject", "ce_time", "ce_type")
_LENGTHS = struct.Struct(f">{3 + len(_ATTRIBUTES)}i")
_ABSENT = -1
_DIGEST_SIZE = 16


class Keyring:
    """Keys by their ids: the first signs, all are accepted. `accepts_unsigned`: as while writers are upgraded."""

    def __init__(self, keys: Mapping[str, str], accepts_unsigned: bool = False):
        self._begun = {name: hashlib.blake2b(key=key.encode(), digest_size=_DIGEST_SIZE) for name, key in keys.items()}
        self._own = next(iter(self._begun))
        self._accepts_unsigned = accepts_unsigned

    def sign(self, message: Message) -> None:
        """Give a message its header, in place of the one it may have."""
        message.headers[HEADER] = f"{self._own}:{self._mac(self._own, message)}".encode()

    def sort(self, records: list[Record]) -> tuple[list[Record], list[Rejection]]:
        """The authentic records, in order, and the rejections of the others."""
        authentic: list[Record] = []
        rejections: list[Rejection] = []
        for record in records:
            if found := self._rejection(record):
                rejections.append(found)
            else:
                authentic.append(record)
        return authentic, rejections

    def _rejection(self, record: Record) -> Rejection | None:
        header = record.headers.get(HEADER)
        if header is None:
            if self._accepts_unsigned:
                return None
            return Rejection(record, NOT_AUTHENTIC, f"it has no header {HEADER}: it was not written by this system")
        name, _, mac = header.decode(errors="replace").partition(":")
        if name not in self._begun:
            return Rejection(
                record, UNKNOWN_KEY, f"it is signed with key {name[:40]!r}, which AUDIT_MESSAGE_KEYS lacks"
            )
        if not hmac.compare_digest(self._mac(name, record).encode(), mac.encode()):
            return Rejection(record, NOT_AUTHENTIC, "it was altered, or is a copy under another key or topic")
        return None

    def _mac(self, name: str, message: Message | Record) -> str:
        headers = message.headers
        parts = (message.topic.encode(), message.key, *map(headers.get, _ATTRIBUTES), message.value)
        begun = self._begun[name].copy()
        begun.update(_LENGTHS.pack(*[_ABSENT if part is None else len(part) for part in parts]))
        begun.update(b"".join([part for part in parts if part]))
        return begun.hexdigest()


def keyring() -> Keyring:
    """The keys that the settings name. Raises ImproperlyConfigured where they name none."""
    return Keyring(conf.message_keys(), conf.accept_unsigned())
