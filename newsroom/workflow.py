"""An article's way from draft to archive: the only place where its status changes.

Every function takes the article and the user who asks, saves, and raises TransitionRefused, saying why and what to do
instead, when the user may not or the article is not in a fitting state.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils import timezone

from newsroom.models import Article, Status

Requester = User | AnonymousUser


class TransitionRefused(Exception):
    """The change of status is not possible now, or not for this user."""


@dataclass(frozen=True, slots=True)
class Transition:
    verb: str
    sources: tuple[Status, ...]
    target: Status
    permission: str

    def allowed_from(self, article: Article) -> bool:
        return article.status in self.sources


SEND_TO_REVIEW = Transition(
    "send to review", (Status.DRAFT, Status.ARCHIVED), Status.IN_REVIEW, "newsroom.change_article"
)
SCHEDULE = Transition("schedule", (Status.IN_REVIEW, Status.SCHEDULED), Status.SCHEDULED, "newsroom.publish_article")
PUBLISH = Transition("publish", (Status.IN_REVIEW, Status.SCHEDULED), Status.PUBLISHED, "newsroom.publish_article")
UNPUBLISH = Transition("unpublish", (Status.SCHEDULED, Status.PUBLISHED), Status.DRAFT, "newsroom.publish_article")
ARCHIVE = Transition(
    "archive", (Status.DRAFT, Status.IN_REVIEW, Status.PUBLISHED), Status.ARCHIVED, "newsroom.publish_article"
)


def send_to_review(article: Article, user: Requester) -> None:
    _require_text(article)
    _change(SEND_TO_REVIEW, article, user, published_at=None)


def schedule(article: Article, user: Requester, at: datetime) -> None:
    """`at`: aware, in the future."""
    if at <= timezone.now():
        raise TransitionRefused(
            f"{timezone.localtime(at):%d %B %Y %H:%M} has passed. Choose a later time, or publish now."
        )
    _change(SCHEDULE, article, user, published_at=at)


def publish(article: Article, user: Requester) -> None:
    _require_text(article)
    _change(PUBLISH, article, user, published_at=timezone.now())


def unpublish(article: Article, user: Requester) -> None:
    """Takes a published article off the site, or a scheduled one out of the queue; either becomes a draft."""
    _change(UNPUBLISH, article, user, published_at=None)


def archive(article: Article, user: Requester) -> None:
    _change(ARCHIVE, article, user, published_at=article.published_at)


@transaction.atomic
def publish_due(now: datetime) -> Article | None:
    """Publish the scheduled article that has been due longest, at its own time; None when none is due."""
    due = Article.objects.filter(status=Status.SCHEDULED, published_at__lte=now).order_by("published_at")
    article = due.select_for_update(skip_locked=True).first()
    if article is not None:
        article.status = Status.PUBLISHED
        article.save(update_fields=["status", "updated_at"])
    return article


def _require_text(article: Article) -> None:
    if not article.body.strip():
        raise TransitionRefused(f"“{article.headline}” has no text yet. Write its body first.")


@transaction.atomic
def _change(transition: Transition, article: Article, user: Requester, published_at: datetime | None) -> None:
    if not user.has_perm(transition.permission):
        raise TransitionRefused(f"{user.get_username()} may not {transition.verb} articles. Ask an editor of the desk.")
    stored = Article.objects.select_for_update().only("status").get(pk=article.pk)
    if not transition.allowed_from(stored):
        possible = " or ".join(source.label.lower() for source in transition.sources)
        state = stored.get_status_display().lower()
        raise TransitionRefused(
            f"Cannot {transition.verb} “{article.headline}”: it is {state}, not {possible}. "
            "Reload the page to see its state."
        )
    article.status = transition.target
    article.published_at = published_at
    article.save(update_fields=["status", "published_at", "updated_at"])
