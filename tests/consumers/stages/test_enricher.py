"""What the enricher adds: the action, the words, and who the actor was."""

from dataclasses import replace
from typing import Any, cast

import pytest

from audittrail import contracts, tracking
from audittrail.events.event import ActorProfile, Event, EventActor
from audittrail.models import ActorVersion
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.messages import large_payloads
from consumers.records import Record
from consumers.stages.actor_profiles import ActorProfiles
from consumers.stages.enricher import Enricher
from consumers.stages.enrichment import action, enrichment
from testkit.audittrail.events import PROFILE, change, raw_event, text_change
from testkit.consumers.running import raw


def status(before: str | None, after: str | None) -> Event:
    return raw_event(
        changes=[
            change("headline", "scalar", before="a", after="b"),
            change("status", "scalar", before=before, after=after),
        ]
    )


@pytest.mark.parametrize("kind", ["newsroom.article", "elsewhere.story"])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("draft", "published", "published"),
        ("published", "archived", "unpublished"),
        ("draft", "review", "status_changed"),
        (None, "published", "published"),
    ],
)
def test_a_change_of_status_is_named_by_what_the_public_sees(kind, before, after, expected):
    assert action(status(before, after) | {"kind": kind}) == expected


@pytest.mark.parametrize(
    ("status_now", "field", "expected"),
    [
        ("published", "published_at", "published"),
        ("draft", "published_at", "edited"),
        ("published", "headline", "edited"),
    ],
)
def test_an_article_that_the_public_sees_is_published_again(monkeypatch, status_now, field, expected):
    article = tracking.tracked("newsroom.article")
    assert article
    monkeypatch.setitem(tracking._tracked, "newsroom.article", replace(article, publication="published_at"))
    event = raw_event(status=status_now, changes=[change(field, "scalar", before="a", after="b")])
    assert action(event) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (raw_event(operation="create", changes=[]), "created"),
        (raw_event(operation="delete", changes=[]), "deleted"),
        (raw_event(), "edited"),
        (raw_event(changes=[]), "saved"),
    ],
)
def test_other_actions(event, expected):
    assert action(event) == expected


def test_counts_words_put_in_and_taken_out():
    event = raw_event(changes=[text_change("body", (0, "one two", "three"), (20, "", "<b>four</b> five"))])
    found = enrichment(event, PROFILE)
    assert (found["words_added"], found["words_removed"], found["actor_profile"]) == (3, 2, PROFILE)


def test_at_creation_all_words_are_added():
    event = raw_event(
        operation="create",
        changes=[],
        keyframe={"values": {"body": "<p>One two</p>", "headline": "no text"}, "relations": {}},
    )
    assert enrichment(event, None)["words_added"] == 2


def actor(version: int | None, **values: Any) -> EventActor:
    known: EventActor = {"type": "user", "id": "newsroom.author:7", "version": version, "snapshot": None}
    return cast(EventActor, known | values)


def known(version: int, name: str) -> ActorProfile:
    profile: ActorProfile = {"name": name, "byline": f"By {name}", "role": "reporter", "desk": "city"}
    ActorVersion.objects.using("owner").create(
        actor_id="newsroom.author:7", version=version, recorded_at=raw_event()["recorded_at"], **profile
    )
    return profile


def test_an_actor_is_who_they_were_then(fresh_database):
    then, now = known(1, "Kim Lee"), known(2, "Kim Park")
    profiles = ActorProfiles()
    profiles.learn([actor(1), actor(2)])
    assert (profiles.of(actor(1)), profiles.of(actor(2))) == (then, now)


def test_a_known_version_is_never_asked_for_again(fresh_database, django_assert_num_queries):
    known(1, "Kim")
    profiles = ActorProfiles()
    with django_assert_num_queries(1, using="pipeline"):
        profiles.learn([actor(1), actor(1)])
        profiles.learn([actor(1)])


def test_a_version_that_is_not_there_yet_is_waited_for(fresh_database):
    with pytest.raises(NotReady, match=r"version 3 of newsroom\.author:7"):
        ActorProfiles().learn([actor(3)])


@pytest.mark.parametrize("unversioned", [actor(None), actor(None, id=None), actor(1, id="a\0b")])
def test_an_actor_without_a_version_has_no_profile(unversioned):
    profiles = ActorProfiles()
    profiles.learn([unversioned])
    assert profiles.of(unversioned) is None


def test_a_snapshot_is_used_as_it_was_sent():
    profiles, sent = ActorProfiles(), actor(1, snapshot=PROFILE)
    profiles.learn([sent])
    assert profiles.of(sent) == PROFILE


def test_a_profile_with_nothing_in_it_is_none(fresh_database):
    """Stores that keep its parts apart could not give it back, and verification would say that it was altered."""
    nothing: ActorProfile = {"name": "", "byline": "", "role": "", "desk": ""}
    ActorVersion.objects.using("owner").create(
        actor_id="newsroom.author:7", version=1, recorded_at=raw_event()["recorded_at"], **nothing
    )
    profiles = ActorProfiles()
    profiles.learn([actor(1)])
    assert profiles.of(actor(1)) is None


def test_a_large_event_is_judged_by_its_whole_and_stays_a_reference(own_trail):
    from audittrail.archive.large_payloads import shrink
    from audittrail.archive.object_storage import archive_storage

    archive_storage.ensure_bucket()
    codec = schema_registry.codec(contracts.RAW)
    large = raw(1, changes=[text_change("body", (0, "", "word " * 20_000))])
    value = shrink(large, codec.encode)
    assert len(value) < 2_000
    enricher = Enricher()
    enricher.open()
    (message,) = enricher.process([Record("raw", 0, 0, 0, None, {}, value)]).messages
    event = schema_registry.codec(contracts.ENRICHED).decode(message.value or b"", schema_registry.schemas().by_id)
    assert (event["action"], event["words_added"], event["changes"]) == ("edited", 20_000, [])
    whole = large_payloads.resolve(event)
    assert whole["changes"] == large["changes"]
