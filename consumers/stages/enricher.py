"""The enricher: adds to each event what it amounts to, and who the actor was at that time."""

from collections.abc import Iterable
from typing import TypedDict

from django.db import Error, connections

from audittrail import contracts, tracking
from audittrail.contracts.validation import InvalidEvent
from audittrail.events import edit_script
from audittrail.events.edit_script import Edit
from audittrail.events.event import ActionName, ActorProfile, Event, EventActor
from consumers import conf, stages
from consumers.errors import NotReady
from consumers.kafka.schema_registry import codec, schemas
from consumers.messages import large_payloads
from consumers.messages.decoding import decode, rejection
from consumers.records import Message, Outcome, Record, Rejection
from consumers.runtime.stage import Stage

DATABASE = "pipeline"
LARGEST_ENRICHED_MESSAGE = 1_000_000
"""Bytes of key, headers and value that a broker takes at its default limit."""

ActorKey = tuple[str, int]

_KNOWN_VERSIONS = """
    SELECT actor_id, version, name, byline, role, desk FROM audittrail_actorversion
    JOIN unnest(%s::text[], %s::int[]) AS wanted (id, number) ON actor_id = wanted.id AND version = wanted.number
"""


class Enricher(Stage):
    """Raw events in, enriched events out: at the same partition, under the same key, with the same headers, but for the
    type: the action.
    """

    spec = stages.ENRICHER

    def open(self) -> None:
        self._raw, self._enriched = codec(contracts.RAW), codec(contracts.ENRICHED)
        self._profiles = Profiles()
        self._to = conf.enriched_topic()

    def close(self) -> None:
        connections[DATABASE].close()

    def process(self, records: list[Record]) -> Outcome:
        decoded, undecodable = decode(self._raw, schemas(), records)
        self._profiles.learn(event["actor"] for _, event in decoded)
        whole, unresolvable = large_payloads.resolve_all(decoded)
        outcome = Outcome(rejections=undecodable + unresolvable)
        # What lies in object storage stays there: the whole event is only looked at.
        sent = {id(record): event for record, event in decoded}
        for record, event in whole:
            result = self._enrich(record, sent[id(record)], event)
            if isinstance(result, Message):
                outcome.messages.append(result)
            else:
                outcome.rejections.append(result)
        return outcome

    def _enrich(self, record: Record, event: Event, whole: Event) -> Message | Rejection:
        added = enrichment(whole, self._profiles.of(event["actor"]))
        try:
            value = self._enriched.encode({**event, **added})
        except InvalidEvent as error:
            return rejection(record, event, "invalid_event", str(error))
        headers = record.headers | {"ce_type": f"audittrail.{added['action']}".encode()}
        message = Message(self._to, record.partition, record.key, value, headers)
        if message.size > LARGEST_ENRICHED_MESSAGE:
            detail = f"{message.size} bytes when enriched; a message takes {LARGEST_ENRICHED_MESSAGE}"
            return rejection(record, event, "too_large", detail)
        return message


class Enrichment(TypedDict):
    """What the enricher sets in an event."""

    action: ActionName
    actor_profile: ActorProfile | None
    words_added: int
    words_removed: int
    schema_version: int


def enrichment(event: Event, profile: ActorProfile | None) -> Enrichment:
    """What the enriched event has beyond the raw one, whose content must be whole."""
    edits = list(_edits(event))
    return {
        "action": action(event),
        "actor_profile": profile,
        "words_added": edit_script.words_added(edits),
        "words_removed": edit_script.words_removed(edits),
        "schema_version": contracts.latest(contracts.ENRICHED),
    }


def action(event: Event) -> ActionName:
    """What the event amounts to: created, deleted, published, unpublished, status_changed, edited or saved.

    What the status field is called and which states are public is said where the model is plugged in; of kinds known to
    an outside CMS only, the field is `status` and the public state `published`.
    """
    if event["operation"] != "update":
        return "created" if event["operation"] == "create" else "deleted"
    tracked = tracking.tracked(event["kind"])
    field = tracked.status if tracked else "status"
    published = tracked.published if tracked else frozenset({"published"})
    for change in event["changes"]:
        if change["field"] == field:
            return _status_action(change["before"] in published, change["after"] in published)
    return "edited" if event["changes"] else "saved"


def _status_action(was_public: bool, is_public: bool) -> ActionName:
    if was_public == is_public:
        return "status_changed"
    return "published" if is_public else "unpublished"


def _edits(event: Event) -> Iterable[Edit]:
    """The edits of all texts; at creation each text is one insertion."""
    if event["operation"] == "create":
        tracked = tracking.tracked(event["kind"])
        values = event["keyframe"]["values"] if event["keyframe"] else {}
        for name in tracked.texts if tracked else ():
            yield Edit(0, "", values.get(name) or "")
    for change in event["changes"]:
        yield from edit_script.from_records(change["edits"] or ())


class Profiles:
    """Who actors were, by identity and version; versions never change, so what is known stays known."""

    def __init__(self) -> None:
        self._known: dict[ActorKey, ActorProfile] = {}

    def learn(self, actors: Iterable[EventActor]) -> None:
        """Make all these actors known, with one query for the unknown. Raises NotReady: PostgreSQL is away, or a
        version not there.
        """
        unknown = sorted({key for actor in actors if (key := _key(actor)) and key not in self._known})
        if not unknown:
            return
        for actor_id, version, name, byline, role, desk in self._ask(unknown):
            self._known[actor_id, version] = {"name": name, "byline": byline, "role": role, "desk": desk}
        missing = [key for key in unknown if key not in self._known]
        if missing:
            raise NotReady(
                "author metadata is missing: "
                + ", ".join(f"version {version} of {actor_id}" for actor_id, version in missing[:5])
            )

    def of(self, actor: EventActor) -> ActorProfile | None:
        """The profile an actor sent along, or of the version it names; None if it has neither."""
        key = _key(actor)
        return self._known[key] if key else actor["snapshot"]

    @staticmethod
    def _ask(keys: list[ActorKey]) -> list[tuple[str, int, str, str, str, str]]:
        """Identity, version and profile of the actor versions that are known. Raises NotReady."""
        found: list[tuple[str, int, str, str, str, str]]
        try:
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(_KNOWN_VERSIONS, [[actor_id for actor_id, _ in keys], [version for _, version in keys]])
                found = cursor.fetchall()
        except Error as error:
            connections[DATABASE].close()
            raise NotReady(f"PostgreSQL, for author metadata: {error}") from error
        return found


def _key(actor: EventActor) -> ActorKey | None:
    """What its profile is looked up by; an id with a NUL is none of ours."""
    if actor["snapshot"] or actor["id"] is None or actor["version"] is None or "\0" in actor["id"]:
        return None
    return actor["id"], actor["version"]
