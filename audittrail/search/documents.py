"""An event as it is searched: one flat document for each article and sequence, found by what it put in and what it took
out.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict

from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import normalizer

from audittrail import conf
from audittrail.events.event import ActorType, Change, EnrichedEvent, Operation
from audittrail.events.field_check import require_same_fields
from audittrail.events.html import searchable_text
from audittrail.models import AuditEvent

SECTION = "section"
"""The tracked field that `section:` searches: a scalar or a foreign key of this name."""

_KEYWORD_LIMIT = 1000

_lowercase = normalizer("audit_lowercase", filter=["lowercase"])


def _word() -> fields.KeywordField:
    return fields.KeywordField(normalizer=_lowercase, ignore_above=_KEYWORD_LIMIT)


def _text() -> fields.TextField:
    # Offsets in the index: a match in a long text is marked without analysing that text again.
    return fields.TextField(index_options="offsets")


@registry.register_document
class EventDocument(Document):  # type: ignore[misc]  # django_elasticsearch_dsl brings no types
    """The mapping. Lower-cased words are matched whole, texts by their words (no stemming: an audit wants what was
    written).
    """

    event_id = fields.KeywordField()
    article_id = fields.KeywordField()
    article_key = fields.KeywordField()
    kind = fields.KeywordField()
    sequence = fields.LongField()
    action = fields.KeywordField()
    operation = fields.KeywordField()
    title = _text()
    status = _word()
    section = _word()
    occurred_at = fields.DateField()
    recorded_at = fields.DateField()
    indexed_at = fields.DateField()
    actor = fields.ObjectField(
        properties={
            "type": fields.KeywordField(),
            "id": _word(),
            "version": fields.IntegerField(),
            "name": fields.TextField(),
            "byline": fields.TextField(),
            "role": _word(),
            "desk": _word(),
        }
    )
    channel = _word()
    request_id = _word()
    correlation_id = _word()
    ip = fields.IpField(ignore_malformed=True)
    fields_changed = _word()
    inserted = _text()
    removed = _text()
    before = _text()
    after = _text()
    labels = _text()
    words_added = fields.LongField()
    words_removed = fields.LongField()
    truncated = fields.BooleanField()
    hash = fields.KeywordField()

    class Index:
        name = conf.search_index()
        settings = {
            "number_of_shards": conf.search_shards(),
            "number_of_replicas": conf.search_replicas(),
            "refresh_interval": f"{conf.search_refresh_milliseconds()}ms",
        }

    class Django:
        model = AuditEvent
        ignore_signals = True

    class Meta:
        dynamic = "false"


class DocumentActor(TypedDict):
    """Who made the change; the parts of a profile only where one is known."""

    type: ActorType
    id: str | None
    version: int | None
    name: NotRequired[str]
    byline: NotRequired[str]
    role: NotRequired[str]
    desk: NotRequired[str]


class SearchedTexts(TypedDict):
    """What the texts of the article gained (`inserted`) and lost (`removed`); values of scalars and relations `before`
    and `after` the change, by identity and by name; whether any of the four was cut (`truncated`).
    """

    inserted: list[str]
    removed: list[str]
    before: list[str]
    after: list[str]
    truncated: bool


class SearchDocument(SearchedTexts):
    """What an event is searched by. `section`: identity and name, [] for none, null where it is not known."""

    event_id: str
    article_id: str
    article_key: str
    kind: str
    sequence: int
    action: str
    operation: Operation
    title: str
    status: str | None
    section: list[str] | None
    occurred_at: str
    recorded_at: str
    actor: DocumentActor
    channel: str | None
    request_id: str | None
    correlation_id: str | None
    ip: str | None
    fields_changed: list[str]
    labels: list[str]
    words_added: int
    words_removed: int
    hash: str


class IndexedDocument(SearchDocument):
    """A document with the time of its indexing, as it is written."""

    indexed_at: str


def require_mapped_fields() -> None:
    """Raise FieldMismatch unless the mapping has the fields of the documents."""
    mapping = EventDocument._doc_type.mapping.to_dict()["properties"]
    for properties, document in ((mapping, IndexedDocument), (mapping["actor"]["properties"], DocumentActor)):
        require_same_fields(
            properties,
            f"the mapping ({__name__}.EventDocument)",
            document.__annotations__,
            f"{__name__}.{document.__name__}",
            remedy="a field that is not mapped is not searched: change both, then rebuild the index",
        )


require_mapped_fields()


_ID_LIMIT = 512
"""Bytes of a document's id, as Elasticsearch has it; a longer one fails the whole request that it is in."""


def document_id(article_id: str, sequence: int) -> str:
    """`newsroom.article:7:3`; of an article whose identity is too long, its digest."""
    plain = f"{article_id}:{sequence}"
    if len(plain.encode()) <= _ID_LIMIT:
        return plain
    return f"sha256:{hashlib.sha256(article_id.encode()).hexdigest()}:{sequence}"


def source(event: EnrichedEvent, section: list[str] | None = None) -> SearchDocument:
    """The document of an enriched event (its content resolved, where it was too large for a message).

    `section`: that of the article before this event, [] for none, None where it is not known. Not every event says its
    section, so it is carried from event to event; see `section_after`. Texts are cut to conf.search_text_limit()
    characters each, `truncated` says so. `indexed_at` is left to the writer.
    """
    context = event["context"]
    return {
        "event_id": str(event["event_id"]),
        "article_id": event["article_id"],
        "article_key": event["article_id"].rpartition(":")[2],
        "kind": event["kind"],
        "sequence": event["sequence"],
        "action": event["action"],
        "operation": event["operation"],
        "title": event["title"],
        "status": event["status"],
        "section": section_after(event, section),
        "occurred_at": event["occurred_at"].isoformat(),
        "recorded_at": event["recorded_at"].isoformat(),
        "actor": _actor(event),
        "channel": context["channel"],
        "request_id": context["request_id"],
        "correlation_id": context["correlation_id"],
        "ip": context["ip"],
        "fields_changed": [change["field"] for change in event["changes"]],
        **_searched_texts(event),
        "labels": sorted({label for names in event["labels"].values() for label in names.values()}),
        "words_added": event["words_added"],
        "words_removed": event["words_removed"],
        "hash": event["hash"].hex(),
    }


def indexed_now(document: SearchDocument) -> IndexedDocument:
    """The document as it is written now."""
    return {**document, "indexed_at": now()}


def section_after(event: EnrichedEvent, before: list[str] | None) -> list[str] | None:
    """Identity and name of the article's section after the event: [] for none, None where neither event nor `before`
    has it.
    """
    for change in event["changes"]:
        if change["field"] == SECTION:
            return _section(event, change["after"])
    keyframe = event["keyframe"]
    if keyframe and SECTION in keyframe["values"]:
        return _section(event, keyframe["values"][SECTION])
    return before


def _section(event: EnrichedEvent, value: str | None) -> list[str]:
    if value is None:
        return []
    label = event["labels"].get(SECTION, {}).get(value)
    return [value, label] if label else [value]


def _searched_texts(event: EnrichedEvent) -> SearchedTexts:
    limit = conf.search_text_limit()
    inserted, inserted_cut = _bounded(_inserted(event), limit)
    removed, removed_cut = _bounded(_removed(event), limit)
    before, before_cut = _bounded(_sides(event, "before"), limit)
    after, after_cut = _bounded(_sides(event, "after"), limit)
    truncated = inserted_cut or removed_cut or before_cut or after_cut
    return {"inserted": inserted, "removed": removed, "before": before, "after": after, "truncated": truncated}


def _actor(event: EnrichedEvent) -> DocumentActor:
    actor = event["actor"]
    found: DocumentActor = {"type": actor["type"], "id": actor["id"], "version": actor["version"]}
    profile = event["actor_profile"] or actor["snapshot"]
    return {**found, **profile} if profile else found


def _inserted(event: EnrichedEvent) -> Iterator[str]:
    """What the event put into texts; where the text before is not known, the whole text."""
    values = event["keyframe"]["values"] if event["keyframe"] else {}
    if event["operation"] == "create":
        # Stores keep maps in orders of their own; the document of an event is the same from each.
        yield from (searchable_text(value) for _, value in sorted(values.items()) if value)
    for change in event["changes"]:
        if change["kind"] == "text" and change["edits"] is None:
            yield searchable_text(values.get(change["field"]) or change["after"] or "")
        yield from (searchable_text(edit["inserted"]) for edit in change["edits"] or ())


def _removed(event: EnrichedEvent) -> Iterator[str]:
    for change in event["changes"]:
        if change["kind"] == "text" and change["edits"] is None:
            yield searchable_text(change["before"] or "")
        yield from (searchable_text(edit["removed"]) for edit in change["edits"] or ())


def _sides(event: EnrichedEvent, side: Literal["before", "after"]) -> Iterator[str]:
    """Values of scalars and relations on one side of the change, by identity and by name."""
    for change in event["changes"]:
        names = event["labels"].get(change["field"], {})
        for value in _side(change, side):
            if value is not None:
                yield value
                if value in names:
                    yield names[value]


def _side(change: Change, side: Literal["before", "after"]) -> Sequence[str | None]:
    if change["kind"] == "scalar":
        return [change[side]]
    return (change["before_ids"] if side == "before" else change["after_ids"]) or ()


def _bounded(texts: Iterable[str], limit: int) -> tuple[list[str], bool]:
    """Non-empty texts up to `limit` characters in all, and whether something was cut."""
    kept: list[str] = []
    room = limit
    for text in filter(None, map(str.strip, texts)):
        kept.append(text[:room])
        room -= len(text)
        if room < 0:
            return kept, True
    return kept, False


def now() -> str:
    """The moment of indexing, as documents write it."""
    return datetime.now(UTC).isoformat()
