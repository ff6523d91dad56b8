"""Articles' histories, chained as capture chains them: built forwards from states, where the chain under test works
from events.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from audittrail.events import edit_script
from audittrail.events.event import Change, Event, Keyframe
from audittrail.integrity import chain
from testkit.audittrail.events import change, raw_event

TEXTS = ("body",)
RELATIONS = ("tags",)


class Article:
    """Writes one article's events; ``save`` takes the state after as keyword arguments, ``delete`` ends it."""

    def __init__(self, article_id: str = "newsroom.article:42"):
        self.article_id = article_id
        self.events: list[Event] = []
        self._state: dict[str, Any] | None = None
        self._leaves: dict[str, bytes] = {}

    def save(self, keyframe: bool = False, **after) -> Event:
        before = self._state or {}
        after = before | after
        names = [name for name in after if self._state is None or before.get(name) != after[name]]
        operation = "create" if self._state is None else "update"
        keyframe = keyframe or self._state is None
        changes = [self._change(name, before.get(name), after[name]) for name in names] if operation == "update" else []
        return self._append(operation, after, list(after) if keyframe else names, changes, keyframe)

    def delete(self) -> Event:
        return self._append("delete", None, [], [], False)

    def _append(self, operation, state, renewed, changes, keyframe) -> Event:
        number = len(self.events) + 1
        salt = hashlib.sha256(f"salt {number}".encode()).digest()[:16]
        self._state = state
        self._leaves = self._leaves if state is not None else {}
        self._leaves |= {name: chain.leaf(salt, name, state[name]) for name in renewed}
        event = raw_event(
            event_id=UUID(int=0x01998F2E_7B5C_7D3E_9C4A_000000000000 + number),
            article_id=self.article_id,
            sequence=number,
            operation=operation,
            occurred_at=datetime(2026, 11, 23, 7, 0, 0, number, tzinfo=UTC),
            recorded_at=datetime(2026, 11, 23, 7, 0, 1, tzinfo=UTC) + timedelta(minutes=number),
            changes=changes,
            labels={},
            keyframe=self._keyframe() if keyframe else None,
            salt=salt,
            state_digest=chain.state_digest(self._leaves),
            previous_hash=self.events[-1]["hash"] if self.events else chain.NO_PREVIOUS,
        )
        event["hash"] = chain.event_hash(event)
        self.events.append(event)
        return event

    def _keyframe(self) -> Keyframe:
        state = self._state or {}
        return {
            "values": {name: value for name, value in state.items() if name not in RELATIONS},
            "relations": {name: value for name, value in state.items() if name in RELATIONS},
        }

    @staticmethod
    def _change(name, before, after) -> Change:
        if name in RELATIONS:
            return change(name, "relation", before_ids=before, after_ids=after)
        if name in TEXTS and before is not None and after is not None:
            return change(name, "text", edits=edit_script.as_records(edit_script.diff(before, after)))
        return change(name, "text" if name in TEXTS else "scalar", before=before, after=after)
