"""Idempotency keys without Redis."""

from consumers.records import Record


class InMemoryKeys:
    """As consumers.runtime.delivery.RedisKeys; if not `remembered`, nothing is."""

    def __init__(self, remembered: bool = True):
        self._remembered = remembered
        self.marked: set[bytes] = set()

    def unmarked(self, records: list[Record]) -> list[Record]:
        """Records without a mark, the first of each key."""
        if not self._remembered:
            return records
        seen, fresh = set(self.marked), []
        for record in records:
            if (key := self._key(record)) not in seen:
                seen.add(key)
                fresh.append(record)
        return fresh

    def mark(self, records: list[Record]) -> None:
        self.marked |= {self._key(record) for record in records}

    @staticmethod
    def _key(record: Record) -> bytes:
        return record.headers.get("ce_id") or b""
