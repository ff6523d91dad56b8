"""What `track` refuses, and in which words."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps

from audittrail import tracking
from audittrail.tracking import Relation, track, track_actor
from newsroom.models import Article


@pytest.fixture(autouse=True)
def given_back(monkeypatch):
    """The registries of tracked models, as they were afterwards."""
    monkeypatch.setattr(tracking, "_tracked", dict(tracking._tracked))
    monkeypatch.setattr(tracking, "_actors", dict(tracking._actors))


@pytest.fixture
def story():
    """A model that is not tracked."""
    with isolate_apps("newsroom"):

        class Story(models.Model):
            title = models.TextField()
            live = models.BooleanField()
            seen = models.DateTimeField()

            class Meta:
                app_label = "newsroom"

        yield Story


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"kind": "newsroom.article"},
            r"track\(newsroom.Story\): the kind 'newsroom.article' is that of newsroom.Article.*'newsroom.story-2'",
        ),
        ({"kind": "a b:c/d"}, "kind='a b:c/d' is no name"),
        ({"kind": "k" * 101}, "is no name"),
        ({"fields": "title"}, r"fields='title' is one, not several. Write \['title'\]"),
        ({"published": "live"}, "published='live' is one, not several"),
        ({"relations": Relation("tags")}, "relations=Relation.* is one, not several"),
        ({"published": ["live"]}, "published='live' is not among values of a status field"),
        ({"texts": ["live"]}, "texts='live' holds no text. Name it in fields"),
        ({"texts": ["seen"]}, "texts='seen' holds no text"),
        ({"fields": ["title", "nope"]}, "'nope'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(story, arguments, says):
    with pytest.raises(ImproperlyConfigured, match=says):
        track(story, **{"fields": ["title"], "title": "title", **arguments})
    assert story not in [each.model for each in tracking.all_tracked()]


@pytest.mark.parametrize("kind", [None, "newsroom.another"])
@isolate_apps("newsroom")
def test_a_model_is_tracked_once(kind):
    class Proxy(Article):
        class Meta:
            proxy = True
            app_label = "newsroom"

    for model in (Article, Proxy):
        with pytest.raises(ImproperlyConfigured, match=r"track.*newsroom.Article.*(once|already)"):
            track(model, fields=["headline"], title="headline", kind=kind)


def test_a_model_acts_once():
    actor = tracking.all_actors()[0]
    with pytest.raises(ImproperlyConfigured, match="is tracked already"):
        track_actor(actor.model, name=actor.name)
