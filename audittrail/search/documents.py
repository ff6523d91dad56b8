"""An event as it is searched: one flat document for each article and sequence, found by what it put in and what it took
out.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import normalizer

from audittrail import conf
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
class EventDocument(Document):
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


def document_id(article_id: str, sequence: int) -> str:
    return f"{article_id}:{sequence}"


def source(event: dict, section: list[str] | None = None) -> dict:
    """The document of an enriched event (its content resolved, where it was too large for a message).

    `section`: that of the article before this event, [] for none, None where it is not known. Not every event says its
    section, so it is carried from event to event; see `section_after`. Texts are cut to conf.search_text_limit()
    characters each, `truncated` tells it. `indexed_at` is left to the writer.
    """
    texts = {
        "inserted": _inserted(event),
        "removed": _removed(event),
        "before": _sides(event, "before"),
        "after": _sides(event, "after"),
    }
    limit = conf.search_text_limit()
    parts = {name: _bounded(some, limit) for name, some in texts.items()}
    return {
        **_metadata(event),
        "section": section_after(event, section),
        "actor": _actor(event),
        **{name: texts for name, (texts, _) in parts.items()},
        "labels": sorted({label for names in event["labels"].values() for label in names.values()}),
        "truncated": any(cut for _, cut in parts.values()),
    }


def section_after(event: dict, before: list[str] | None) -> list[str] | None:
    """Identity and name of the article's section after the event: [] for none, None where neither event nor `before`
    tell.
    """
    for change in event["changes"]:
        if change["field"] == SECTION:
            return _section(event, change["after"])
    keyframe = event["keyframe"]
    if keyframe and SECTION in keyframe["values"]:
        return _section(event, keyframe["values"][SECTION])
    return before


def _section(event: dict, value: str | None) -> list[str]:
    if value is None:
        return []
    label = event["labels"].get(SECTION, {}).get(value)
    return [value, label] if label else [value]


def _metadata(event: dict) -> dict:
    context = event["context"]
    same = ["article_id", "kind", "sequence", "action", "operation", "title", "status", "words_added", "words_removed"]
    return {
        **{name: event[name] for name in same},
        "event_id": str(event["event_id"]),
        "article_key": event["article_id"].rpartition(":")[2],
        "occurred_at": event["occurred_at"].isoformat(),
        "recorded_at": event["recorded_at"].isoformat(),
        **{name: context[name] for name in ("channel", "request_id", "correlation_id", "ip")},
        "fields_changed": [change["field"] for change in event["changes"]],
        "hash": event["hash"].hex(),
    }


def _actor(event: dict) -> dict:
    actor = event["actor"]
    profile = event["actor_profile"] or actor["snapshot"] or {}
    return {"type": actor["type"], "id": actor["id"], "version": actor["version"], **profile}


def _inserted(event: dict) -> Iterator[str]:
    """What the event put into texts; where the text before is not known, the whole text."""
    values = event["keyframe"]["values"] if event["keyframe"] else {}
    if event["operation"] == "create":
        # Stores keep maps in orders of their own; the document of an event is the same from each.
        yield from (searchable_text(value) for _, value in sorted(values.items()) if value)
    for change in event["changes"]:
        if change["kind"] == "text" and change["edits"] is None:
            yield searchable_text(values.get(change["field"]) or change["after"] or "")
        yield from (searchable_text(edit["inserted"]) for edit in change["edits"] or ())


def _removed(event: dict) -> Iterator[str]:
    for change in event["changes"]:
        if change["kind"] == "text" and change["edits"] is None:
            yield searchable_text(change["before"] or "")
        yield from (searchable_text(edit["removed"]) for edit in change["edits"] or ())


def _sides(event: dict, side: str) -> Iterator[str]:
    """Values of scalars and relations on one side of the change, by identity and by name."""
    for change in event["changes"]:
        names = event["labels"].get(change["field"], {})
        values = [change[side]] if change["kind"] == "scalar" else change[f"{side}_ids"] or ()
        for value in values:
            if value is not None:
                yield value
                if value in names:
                    yield names[value]


def _bounded(texts: Iterable[str], limit: int) -> tuple[list[str], bool]:
    """Non-empty texts up to `limit` characters in all, and whether something was cut."""
    kept, room = [], limit
    for text in filter(None, map(str.strip, texts)):
        kept.append(text[:room])
        room -= len(text)
        if room < 0:
            return kept, True
    return kept, False


def now() -> str:
    """The moment of indexing, as documents write it."""
    return datetime.now(UTC).isoformat()
