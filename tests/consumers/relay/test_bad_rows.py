"""Whatever a row of the outbox holds, it harms no other: it is set aside with its reason, and can be mended."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from audittrail import article_id, contracts
from audittrail.capture.outbox_rows import OutboxRow, captured_event
from audittrail.contracts.amendments import amended, proposed
from audittrail.contracts.codec import Codec
from audittrail.contracts.validation import validate
from audittrail.models import FIRST_READABLE, LAST_READABLE, AuditEvent, OutboxEvent
from audittrail.timeline.gaps import gaps
from consumers.messages.authenticity import keyring
from consumers.operations import quarantine
from consumers.relay.keys import STRATEGIES
from consumers.relay.messages import LONGEST_REASON, MessageWriter, violation
from consumers.stages.database import DatabaseSink
from consumers.stages.enricher import Enricher
from newsroom.models import Article
from testkit.audittrail.rows import JSON, outbox_row
from testkit.consumers.relaying import relaying
from testkit.consumers.running import running
from testkit.consumers.witness import pending, some_articles
from testkit.waiting import until

CODEC = Codec(contracts.RAW, contracts.latest(contracts.RAW), 0)

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("field", "kind", "before", "after", "before_ids", "after_ids", "edits", "mood")
CHANGES = st.lists(
    st.dictionaries(
        st.sampled_from(MEMBERS), st.sampled_from(["body", "text", "relation", ["5", None]]) | VALUES, max_size=6
    ),
    max_size=3,
)
JSON_TEXTS = st.one_of(
    VALUES.map(json.dumps),
    CHANGES.map(json.dumps),
    st.sampled_from(["[" * 20_000 + "]" * 20_000, "9" * 10_000, "1e999", '{"request_id": [[]]}', '{"tags": [null]}']),
)
ARRAYS = st.lists(TEXTS | st.none() | st.lists(TEXTS, max_size=2), max_size=3)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(JSON, JSON_TEXTS),
    **dict.fromkeys(("text_fields", "texts_before", "texts_after"), ARRAYS),
    **dict.fromkeys(("occurred_at", "recorded_at"), st.sampled_from([FIRST_READABLE, LAST_READABLE])),
    **dict.fromkeys(("title", "status", "actor_type", "operation", "kind", "actor_id"), TEXTS),
    **dict.fromkeys(("salt", "state_digest", "previous_hash", "hash"), st.binary(max_size=40)),
    **dict.fromkeys(("sequence", "actor_version"), st.integers(-(2**31), 2**31 - 1)),
    "keyframe": st.booleans(),
}
MENDABLE = ("context", "changes", "labels", "actor_snapshot", "occurred_at", "actor_type", "texts_before", "scalars")


def columns(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: COLUMNS[name] for name in chosen})
    )


def row(number: int, **values: Any) -> OutboxRow:
    return outbox_row(id=number) | values  # type: ignore[return-value]  # values of its columns, wrong on purpose


def writer() -> MessageWriter:
    return MessageWriter("raw", CODEC, keyring(), STRATEGIES["article"](), range(4))


@given(columns(tuple(COLUMNS)))
def test_whatever_a_row_holds_those_beside_it_are_published(values):
    ids, messages, refused = writer().write([row(1), row(2, **values), row(3)])

    assert sorted([*ids, *(each.row_id for each in refused)]) == [1, 2, 3]
    assert {1, 3} <= set(ids) and len(ids) == len(messages)
    for message in messages:
        validate(CODEC.decode(message.value or b"", lambda number: contracts.schema(CODEC.contract, CODEC.version)))
    for each in refused:
        assert each.reason and len(each.reason.encode()) <= 4 * LONGEST_REASON and "\0" not in each.reason


@given(columns(MENDABLE))
def test_what_can_be_amended_can_be_mended(values):
    event = captured_event(row(1, **values))

    assert violation(amended(event, proposed(event, violation))) is None


@pytest.mark.parametrize("part", ["title", "status"])
def test_a_text_too_long_for_a_message_is_named_and_cut(part):
    bad = row(1, **{part: "x" * 1_000_000})
    ((refusal,), event) = (writer().write([bad])[2], captured_event(bad))

    assert refusal.reason.startswith(f"{part}: makes the event ")
    assert violation(amended(event, proposed(event, violation))) is None


def test_a_traceparent_longer_than_any_is_left_out():
    trace = f"01-{'a' * 32}-{'b' * 16}-01-{'c' * 2_000_000}"
    _, (message,), _ = writer().write([row(1, context=json.dumps({"traceparent": trace}))])

    assert "traceparent" not in message.headers


# In PostgreSQL, planted by the owner

DEEP = "'" + '{"request_id": ' + "[" * 3000 + "]" * 3000 + "}'"
PLANTED = {
    "occurred_at = '9999-12-31T23:59:59-05:00'": "occurred_at: ",
    "occurred_at = '0001-01-01T00:00:00+01:00'": "occurred_at: ",
    "occurred_at = 'infinity'": "occurred_at: ",
    "occurred_at = '4713-01-01 BC'": "occurred_at: ",
    f"context = {DEEP}": "context: cannot be read",
    "context = ('9' || repeat('0', 100000))::jsonb": "context: cannot be read",
    "labels = '[]'": "labels: cannot be read",
    "changes = '{}'": "changes: cannot be read",
    'changes = \'[{"field": "tags", "kind": "relation", "after_ids": ["1", null]}]\'': "Change.after_ids: ",
    "actor_snapshot = '7'": "actor.snapshot: cannot be read",
    "actor_type = 'robot'": "actor.type: ",
    "texts_after = '{{a,b},{c,d}}', text_fields = '{a,b}'": "changes: cannot be read",
    "title = repeat('x', 2000000)": "title: makes the event",
}


@pytest.fixture
def articles(own_trail) -> dict[str, Article]:
    """What was planted → the article whose second of three events has it."""
    from django.contrib.contenttypes.models import ContentType  # noqa: F401  registered before the first request

    found = dict(zip(PLANTED, some_articles(len(PLANTED)), strict=True))
    for edition in ("Second", "Third"):
        for article in found.values():
            Article.objects.filter(pk=article.pk).update(headline=edition, body=edition)
    with connections["owner"].cursor() as cursor:
        for planted, article in found.items():
            statement = f"UPDATE audittrail_outboxevent SET {planted} WHERE article_id = %s AND sequence = 2"
            cursor.execute(statement, [article_id(article)])
    return found


@pytest.fixture
def admin_client(own_trail) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("platform", password="x"))
    return client


def _arrived(article: Article) -> list[int]:
    return sorted(AuditEvent.objects.filter(article_id=article_id(article)).values_list("sequence", flat=True))


def test_bad_rows_are_seen_with_their_reasons_and_mended_while_all_others_flow(articles, admin_client):
    with relaying(), running(Enricher()), running(DatabaseSink()):
        until(lambda: all(_arrived(article) == [1, 3] for article in articles.values()), what="all other events")
        listed = admin_client.get(reverse("admin:consumers_setasideevent_changelist")).content.decode()
        events = {event.article_id: event for event in quarantine.waiting()}
        for planted, article in articles.items():
            event = events[article_id(article)]
            assert (event.set_aside or "").startswith(PLANTED[planted]), planted
            (gap,) = gaps(article_id(article), [1, 3], 1, 3)
            assert gap.cause is not None and PLANTED[planted] in gap.cause.text
            page = reverse("admin:consumers_setasideevent_release", args=[event.pk])
            assert f'href="{event.pk}/release/"' in listed
            proposal = admin_client.get(page).context["amendments"]
            assert admin_client.post(page, {"amendments": proposal}).status_code == 302, planted
        until(lambda: all(_arrived(article) == [1, 2, 3] for article in articles.values()), what="the mended events")

    assert not pending() and not quarantine.waiting().exists()
    assert OutboxEvent.objects.exclude(amendments=[]).count() == len(PLANTED)
