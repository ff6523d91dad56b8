from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from newsroom import tasks, workflow
from newsroom.models import Status
from newsroom.workflow import TransitionRefused


def test_goes_from_draft_to_archive(article, editor, events):
    workflow.send_to_review(article, editor)
    workflow.publish(article, editor)
    workflow.archive(article, editor)
    assert [event.status for event in events(article)] == ["draft", "in_review", "published", "archived"]


def test_a_draft_is_not_published_unread(article, editor):
    with pytest.raises(
        TransitionRefused, match="Cannot publish “Ferry returns to Kelmere”: it is draft, not in review or scheduled"
    ):
        workflow.publish(article, editor)
    article.refresh_from_db()
    assert article.status == Status.DRAFT


def test_state_is_read_from_the_database(article, editor):
    stale = type(article).objects.get(pk=article.pk)
    workflow.send_to_review(article, editor)
    with pytest.raises(TransitionRefused, match="it is in review"):
        workflow.send_to_review(stale, editor)


def test_who_may_not_is_told_so(article, users):
    with pytest.raises(TransitionRefused, match="auditor may not send to review"):
        workflow.send_to_review(article, users["auditor"])


def test_an_article_without_text_is_refused(article, editor):
    article.body = "  "
    with pytest.raises(TransitionRefused, match="no text yet"):
        workflow.send_to_review(article, editor)


def test_a_time_that_has_passed_is_refused(article, editor):
    workflow.send_to_review(article, editor)
    with pytest.raises(TransitionRefused, match="has passed"):
        workflow.schedule(article, editor, timezone.now() - timedelta(minutes=1))


def test_unpublishing_takes_the_publication_back(article, editor):
    workflow.send_to_review(article, editor)
    workflow.publish(article, editor)
    workflow.unpublish(article, editor)
    article.refresh_from_db()
    assert (article.status, article.published_at) == (Status.DRAFT, None)


def test_scheduled_articles_are_published_when_due_by_the_scheduler(article, editor, events):
    workflow.send_to_review(article, editor)
    at = timezone.now() + timedelta(hours=1)
    workflow.schedule(article, editor, at)
    assert tasks.publish_due_articles() == 0
    type(article).objects.filter(pk=article.pk).update(published_at=timezone.now() - timedelta(seconds=1))
    assert tasks.publish_due_articles() == 1
    last = events(article)[-1]
    assert (last.status, last.actor_type, last.actor_id) == ("published", "service", "newsroom.scheduler")


def test_a_superuser_without_author_may_publish(article):
    chief = get_user_model().objects.create_superuser("chief")
    workflow.send_to_review(article, chief)
    workflow.publish(article, chief)
    assert article.status == Status.PUBLISHED
