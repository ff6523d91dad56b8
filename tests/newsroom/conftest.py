"""People and articles of a newsroom, and what capture made of their saves."""

import uuid

import pytest
from django.contrib.auth import get_user_model

from audittrail.models import OutboxEvent
from newsroom import demo
from newsroom.models import Article, Author


@pytest.fixture(scope="module")
def users(module_database) -> dict[str, object]:
    """The demo logins, by username."""
    demo.create_logins()
    return {
        user.username: user
        for user in get_user_model().objects.filter(username__in=[login.username for login in demo.LOGINS])
    }


@pytest.fixture
def editor(users):
    return users["editor"]


@pytest.fixture
def article(users) -> Article:
    return Article.objects.create(
        headline="Ferry returns to Kelmere", slug=f"ferry-{uuid.uuid4().hex}", body="<p>It is back.</p>"
    )


@pytest.fixture
def editors_author(editor) -> Author:
    return editor.author


@pytest.fixture
def events():
    """The captured events of an article, oldest first."""

    def of(article: Article) -> list[OutboxEvent]:
        return list(OutboxEvent.objects.filter(article_id=f"newsroom.article:{article.pk}").order_by("sequence"))

    return of
