"""Articles' histories as they lie in the database after the pipeline, made without it: real edit scripts, keyframes and
hashes.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from django.http import QueryDict

from audittrail.events import edit_script
from audittrail.events.event import Change, Keyframe
from audittrail.models import AuditEvent, Fork, Head
from audittrail.timeline.comparison import comparison
from audittrail.timeline.filters import Filters

START = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
KIM = {
    "actor_id": "newsroom.author:7",
    "actor_name": "Kim Lee",
    "actor_byline": "By Kim Lee",
    "actor_role": "reporter",
    "actor_desk": "Business",
}
SAM = {
    "actor_id": "newsroom.author:9",
    "actor_name": "Sam Okoro",
    "actor_byline": "Sam Okoro",
    "actor_role": "desk_editor",
    "actor_desk": "News desk",
}
RELATIONS = ("tags", "credits")
CONTEXT = {"correlation_id": None, "ip": "192.0.2.7", "user_agent": "Firefox", "channel": "admin"}
UNKNOWN = "00000000-0000-7000-8000-000000000000"
"""The identity of no event."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
BODY = (
    "<p>The Harbour bridge was closed on Monday after inspectors found cracks in two supports.</p>"
    "<p>The contractor alleged to have skipped two inspections said on Monday that it would help.</p>"
    "<p>Ferries run every ten minutes instead, the harbour master said.</p>"
)


class History:
    """Builds one article's events in memory; ``store`` inserts them, without those that are to be missing."""

    def __init__(self, article_id: str = "newsroom.article:42", keyframes: int = 50):
        self.article_id, self.kind, self.keyframes = article_id, "newsroom.article", keyframes
        self.events: list[AuditEvent] = []
        self.state: Keyframe = {"values": {}, "relations": {}}
        self.moment = START

    def save(
        self,
        actor: dict = KIM,
        minutes: float = 1,
        labels: dict | None = None,
        operation: str = "update",
        keyframe: bool = False,
        **after,
    ) -> AuditEvent:
        """One more event: fields after the change, ``minutes`` after the event before."""
        self.moment += timedelta(minutes=minutes)
        before, sequence = self.state, len(self.events) + 1
        relations = {name: value for name, value in after.items() if name in RELATIONS}
        values = {name: value for name, value in after.items() if name not in RELATIONS}
        self.state = {"values": before["values"] | values, "relations": before["relations"] | relations}
        operation = "create" if sequence == 1 else operation
        changes = [] if operation != "update" else comparison(self.kind, before, self.state)
        return self._append(
            sequence,
            operation,
            changes,
            labels or {},
            actor,
            keyframe or sequence == 1 or sequence % self.keyframes == 0,
        )

    def text(self, field: str) -> str:
        """A field as it is now."""
        return self.state["values"][field] or ""

    def _append(
        self, sequence: int, operation: str, changes: list[Change], labels: dict, actor: dict, keyframe: bool
    ) -> AuditEvent:
        edits = [edit for change in changes for edit in edit_script.from_records(change["edits"] or [])]
        event = AuditEvent(
            event_id=UUID(int=uuid4().int),
            article_id=self.article_id,
            kind=self.kind,
            sequence=sequence,
            operation=operation,
            title=self.state["values"].get("headline") or "",
            status=self.state["values"].get("status"),
            occurred_at=self.moment,
            recorded_at=self.moment + timedelta(milliseconds=13),
            actor_type="user",
            actor_version=1,
            **actor,
            context=CONTEXT | {"request_id": f"request-{sequence}"},
            changes=changes,
            labels=labels,
            keyframe=self.state if keyframe else None,
            salt=bytes(16),
            state_digest=bytes(32),
            previous_hash=self.events[-1].hash if self.events else bytes(32),
            hash=hashlib.sha256(f"{self.article_id} {sequence}".encode()).digest(),
            action=_action(operation, changes),
            words_added=edit_script.words_added(edits),
            words_removed=edit_script.words_removed(edits),
            schema_version=1,
        )
        self.events.append(event)
        return event

    def store(self, missing: tuple[int, ...] = ()) -> "History":
        AuditEvent.objects.using("owner").bulk_create(
            [event for event in self.events if event.sequence not in missing], batch_size=500
        )
        self.store_head()
        return self

    def store_head(self) -> None:
        last = self.events[-1]
        scalars = {name: value for name, value in self.state["values"].items() if name not in ("body", "standfirst")}
        Head.objects.using("owner").create(
            article_id=self.article_id,
            kind=self.kind,
            object_pk=self.article_id.rpartition(":")[2],
            sequence=last.sequence,
            alive=last.operation != "delete",
            scalars=scalars,
            state_digest=bytes(32),
            hash=last.hash,
            event_id=last.event_id,
            recorded_at=last.recorded_at,
        )

    def fork(self, sequence: int) -> None:
        known = self.events[sequence - 1].hash
        Fork.objects.using("owner").create(
            article_id=self.article_id,
            sequence=sequence,
            known_hash=known,
            other_hash=bytes([7]) * 32,
            other_event={},
            found_in="database",
        )


def _action(operation: str, changes: list[Change]) -> str:
    if operation != "update":
        return {"create": "created", "delete": "deleted"}[operation]
    status = next((change for change in changes if change["field"] == "status"), None)
    if status is None:
        return "edited" if changes else "saved"
    if status["after"] == "published":
        return "published"
    return "unpublished" if status["before"] == "published" else "status_changed"


def bridge(article_id: str = "newsroom.article:42") -> History:
    """A day in the life of an article: written, reviewed, published, corrected in a run of small edits, a new
    headline.
    """
    story = History(article_id)
    names = {"tags": {"1": "transport"}, "credits": {"7": "Kim Lee"}}
    story.save(
        headline="Bridge shut",
        slug="bridge-shut",
        status="draft",
        standfirst="",
        body=BODY,
        tags=["1"],
        credits=["7"],
        labels=names,
    )
    story.save(body=BODY.replace("ten minutes", "quarter of an hour"), minutes=4)
    story.save(status="in_review", minutes=12)
    story.save(SAM, status="published", minutes=30)
    body = story.text("body")
    for word in ("Monday morning", "Monday at dawn", "Monday at first light"):
        story.save(body=body.replace("closed on Monday", f"closed on {word}"), minutes=3)
    names = {"tags": {"1": "transport", "4": "infrastructure"}}
    story.save(
        KIM, headline="Harbour bridge closed after inspectors find cracks", tags=["1", "4"], minutes=15, labels=names
    )
    story.save(SAM, body=story.text("body").replace("alleged to have skipped", "that skipped"), minutes=3)
    return story


def edited_event(**values) -> AuditEvent:
    """An unsaved event of an article's fourth version."""
    return AuditEvent(
        **{
            "kind": "newsroom.article",
            "sequence": 4,
            "actor_type": "user",
            "changes": [],
            "labels": {},
            "action": "edited",
        }
        | values
    )


def filters(**parameters) -> Filters:
    """Filters as the parameters of an address say them."""
    query = QueryDict(mutable=True)
    query.update(parameters)
    return Filters.from_query(query)
