"""One article, with tags and credits, for each contestant."""

import pghistory
from django.db import models
from simple_history.models import HistoricalRecords
from wagtail.models import RevisionMixin


class Tag(models.Model):
    name = models.CharField(max_length=60)


class Author(models.Model):
    name = models.CharField(max_length=60)


class Article(models.Model):
    """What all have. `views` is tracked by none."""

    headline = models.CharField(max_length=300)
    body = models.TextField()
    status = models.CharField(max_length=16, default="draft")
    views = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)

    class Meta:
        abstract = True


class Credit(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    position = models.IntegerField(default=0)

    class Meta:
        abstract = True


class PlainArticle(Article):
    pass


class PlainCredit(Credit):
    article = models.ForeignKey(PlainArticle, on_delete=models.CASCADE, related_name="credits")


class TrailArticle(Article):
    pass


class TrailCredit(Credit):
    article = models.ForeignKey(TrailArticle, on_delete=models.CASCADE, related_name="credits")


class LoggedArticle(Article):
    """django-auditlog, registered in apps."""


class LoggedCredit(Credit):
    article = models.ForeignKey(LoggedArticle, on_delete=models.CASCADE, related_name="credits")


class SimpleArticle(Article):
    """django-simple-history."""

    history = HistoricalRecords(m2m_fields=["tags"], excluded_fields=["views"])


class SimpleCredit(Credit):
    article = models.ForeignKey(SimpleArticle, on_delete=models.CASCADE, related_name="credits")
    history = HistoricalRecords()


@pghistory.track(exclude=["views"])
class PgArticle(Article):
    """django-pghistory: triggers in PostgreSQL."""

    tags = models.ManyToManyField(Tag, through="PgArticleTag")  # type: ignore[assignment]  # a table of our own


@pghistory.track(pghistory.InsertEvent(), pghistory.DeleteEvent())
class PgArticleTag(models.Model):
    """What Django would make for `tags`, so that it can be tracked."""

    pgarticle = models.ForeignKey(PgArticle, on_delete=models.CASCADE)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class PgCredit(Credit):
    article = models.ForeignKey(PgArticle, on_delete=models.CASCADE, related_name="credits")


class WagtailArticle(RevisionMixin, Article):
    """Wagtail: a revision is saved by whoever saves, and holds the whole article."""


class WagtailCredit(Credit):
    article = models.ForeignKey(WagtailArticle, on_delete=models.CASCADE, related_name="credits")
