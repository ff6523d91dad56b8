"""Tests as the stranger writes them, for Django's own runner."""

from django.test import TestCase, TransactionTestCase

import audittrail
from audittrail.models import OutboxEvent
from tests.stranger.site.press.models import Article, Image


class InOneTransaction(TestCase):
    def test_fold_now_stands_in_for_the_commit(self) -> None:
        article = Article.objects.create(title="Bridge closed", number="1")
        audittrail.fold_now()
        assert OutboxEvent.objects.get().article_id == audittrail.article_id(article)


class WithCommits(TransactionTestCase):
    """Each test leaves rows behind, and finds none."""

    def test_a_first_commit_is_event_1(self) -> None:
        self._commit()

    def test_a_second_commit_is_event_1_too(self) -> None:
        self._commit()

    def _commit(self) -> None:
        assert not Article.objects.exists()
        article = Article.objects.create(title="Bridge closed", number="1")
        Image.objects.create(article=article, caption="The bridge")
        assert list(OutboxEvent.objects.values_list("sequence", flat=True)) == [1, 2]
