"""Replays an editorial history through real saves: each event of the file becomes exactly one event of the trail.

How far each article has come is kept in ImportedArticle, in the transaction of the save itself: whatever stops an
import, the next one goes on there, with the same file or with another that holds the same history.
"""

from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError
from psycopg.errors import ProgramLimitExceeded

import audittrail
from newsroom.actors import author_actor
from newsroom.history.catalogue import Catalogue, short_slug
from newsroom.history.reader import HistoryError, HistoryEvent
from newsroom.history.statuses import newsroom_status
from newsroom.models import Article, BodyFormat, Credit, ImportedArticle, Status

CHANNEL = "import"
# Made here or checked by the reader: to look them up for each event would only cost queries.
_UNCHECKED = ("section", "slug", "external_id", "body_format", "status")


_SLUG_LIMIT = 120


class Importer:
    """Applies events in their order. What it has seen is kept in memory: one writer at a time."""

    def __init__(self) -> None:
        self.imported = {each.external_id: each for each in ImportedArticle.objects.all()}
        self.articles: dict[str, Article] = {}
        self.bylines: dict[str, tuple[str, ...]] = {}
        self.catalogue = Catalogue()

    def is_done(self, event: HistoryEvent) -> bool:
        """Whether an earlier run has imported the event."""
        known = self.imported.get(event.article_id)
        return known is not None and event.revision <= known.revision

    def apply(self, event: HistoryEvent) -> None:
        """Save what the event did, as its author and at its time. Raises HistoryError when it does not follow or
        fit.
        """
        self._require_successor(event)
        try:
            actor = author_actor(self.catalogue.author(event.author_id, event.author_name))
            with audittrail.context(actor=actor, occurred_at=event.occurred_at, channel=CHANNEL):
                pk = self._delete(event) if event.action == "deleted" else self._save(event)
                self._remember(event, pk)
        except ValidationError as error:
            problems = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
            raise _refused(event, problems) from None
        except (DataError, OperationalError) as error:
            # What PostgreSQL cannot store, or has no room for in an index; all else is not this line's doing.
            if isinstance(error, OperationalError) and not isinstance(error.__cause__, ProgramLimitExceeded):
                raise
            raise _refused(event, str(error).splitlines()[0]) from error

    def _require_successor(self, event: HistoryEvent) -> None:
        known = self.imported.get(event.article_id)
        expected = known.revision + 1 if known else 1
        if event.revision != expected:
            raise HistoryError(
                f"line {event.line}: {event.article_id} revision {event.revision}, but revision {expected} is next. "
                "The file lacks events; import one that holds them first."
            )

    def _delete(self, event: HistoryEvent) -> int:
        article = self._live(event)
        if article is None:
            raise HistoryError(f"line {event.line}: {event.article_id} is deleted, but it does not exist.")
        pk = article.pk
        article.delete()
        del self.articles[event.article_id], self.bylines[event.article_id]
        return pk

    def _save(self, event: HistoryEvent) -> int:
        article = self._live(event)
        if article is None:
            article = self._new(event)
            self._assign(article, event)
            article.save(force_insert=True)
        else:
            article.save(update_fields=[*self._assign(article, event), "updated_at"])
        self._credit(article, event)
        audittrail.record_save(article)
        return article.pk

    def _live(self, event: HistoryEvent) -> Article | None:
        if event.article_id not in self.articles:
            article = Article.objects.filter(external_id=event.article_id).select_related("section").first()
            if article is None:
                return None
            self.articles[event.article_id] = article
            self.bylines[event.article_id] = tuple(article.credits.values_list("author__name", flat=True))
        return self.articles[event.article_id]

    def _new(self, event: HistoryEvent) -> Article:
        known = self.imported.get(event.article_id)
        article = Article(
            pk=known.article_pk if known else None,
            external_id=event.article_id,
            slug=short_slug(event.article_id, _SLUG_LIMIT, allow_unicode=True),
            body_format=BodyFormat.PLAIN,
        )
        self.articles[event.article_id] = article
        self.bylines[event.article_id] = ()
        return article

    def _assign(self, article: Article, event: HistoryEvent) -> list[str]:
        values = self._values(article, event)
        changed = [field for field, value in values.items() if getattr(article, field) != value]
        for field in changed:
            setattr(article, field, values[field])
        article.clean_fields(exclude=_UNCHECKED if article.headline else (*_UNCHECKED, "headline"))
        return changed

    def _values(self, article: Article, event: HistoryEvent) -> dict[str, object]:
        status = newsroom_status(event.status)
        first_published = status == Status.PUBLISHED and article.published_at is None
        return {
            "headline": event.title,
            "body": event.body,
            "section": self.catalogue.section(event.section),
            "status": status,
            "published_at": event.occurred_at if first_published else article.published_at,
            "source_status": event.status,
            "source_path": event.path,
        }

    def _credit(self, article: Article, event: HistoryEvent) -> None:
        byline = tuple(dict.fromkeys(event.byline))
        if self.bylines[event.article_id] == byline:
            return
        article.credits.all().delete()
        Credit.objects.bulk_create(
            Credit(article=article, author=self.catalogue.credited(name), position=position)
            for position, name in enumerate(byline)
        )
        self.bylines[event.article_id] = byline

    def _remember(self, event: HistoryEvent, pk: int) -> None:
        known = self.imported.setdefault(event.article_id, ImportedArticle(external_id=event.article_id, article_pk=pk))
        known.revision = event.revision
        known.save(force_insert=known._state.adding)


def _refused(event: HistoryEvent, problem: str) -> HistoryError:
    return HistoryError(f"line {event.line}: {event.article_id[:100]} revision {event.revision}: {problem}")
