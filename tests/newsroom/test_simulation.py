import re
from collections import Counter
from random import Random

import pytest
from django.db.models import QuerySet
from hypothesis import given
from hypothesis import strategies as st

from audittrail.models import OutboxEvent
from newsroom.body import sanitiser
from newsroom.models import Article, Author, Status
from newsroom.simulation.beats import BEATS, MISTYPED
from newsroom.simulation.play import Newsroom
from newsroom.simulation.story import Story


def of_articles() -> QuerySet[OutboxEvent]:
    """Those of users and groups apart."""
    return OutboxEvent.objects.filter(kind="newsroom.article")


@pytest.fixture(scope="module")
def played(module_database) -> list[str]:
    """What was done in a newsroom that wrote 25 articles, one text a save."""
    newsroom, done = Newsroom(Random(11), articles=25), []
    while not newsroom.is_finished:
        done.append(newsroom.step())
    return done


def test_each_step_is_one_event(played):
    assert of_articles().count() == len(played)


def test_it_ends_with_every_article_settled(played):
    statuses = set(Article.objects.values_list("status", flat=True))
    assert Article.objects.count() == 25
    assert statuses <= {Status.PUBLISHED, Status.ARCHIVED}


def test_many_people_do_many_things(played):
    assert of_articles().values("actor_id").distinct().count() >= 10
    assert set(of_articles().values_list("status", flat=True)) == set(Status.values)
    assert {"tags", "credits", "headline", "standfirst"} <= {
        change["field"] for event in of_articles() for change in event.changes
    } | {field for event in of_articles() for field in event.text_fields}


def test_every_event_has_its_actor_and_channel(played):
    authors = {f"newsroom.author:{pk}" for pk in Author.objects.values_list("pk", flat=True)}
    assert {event.actor_id for event in of_articles()} <= authors
    assert {event.context["channel"] for event in of_articles()} == {"simulation"}


def test_a_story_breaks(played):
    counts = sorted(Counter(of_articles().values_list("article_id", flat=True)).values())
    assert counts[-1] > 2 * counts[len(counts) // 2]


@given(st.integers())
def test_a_seed_tells_the_same_story(seed):
    assert _told(seed).body == _told(seed).body


@given(st.integers())
def test_stories_are_finished_sentences_that_the_editor_can_make(seed):
    story = _told(seed)
    assert sanitiser()(story.body) == story.body
    assert "{" not in story.body + story.headline + story.standfirst
    assert len(story.headline) < 120
    assert all(re.search(r"[.”!?]$", paragraph) for paragraph in story.paragraphs)


@given(st.integers())
def test_sub_editors_leave_no_slip(seed):
    story = _told(seed)
    story.mend_slips()
    assert not any(wrong in story.body for _, wrong in MISTYPED)


@given(st.integers())
def test_a_corrected_figure_is_told_once_and_changed_everywhere(seed):
    story = _told(seed)
    wrong = story.facts["figure"]
    if story.correct_figure():
        assert story.body.count(wrong) == story.paragraphs[-1].count(wrong)
        assert not story.correct_figure()


def _told(seed: int) -> Story:
    rng = Random(seed)
    story = Story(rng, rng.choice(BEATS))
    while story.write_more():
        pass
    story.write_standfirst()
    return story
