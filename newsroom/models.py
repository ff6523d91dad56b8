"""The newsroom: sections, authors, tags, articles and who is credited for them; and what was imported."""

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models

from newsroom.validators import Storable, too_long

HEADLINE_LIMIT = 300
STANDFIRST_LIMIT = 2_000
BODY_LIMIT = 10_000_000


class Section(models.Model):
    name = models.CharField(unique=True)
    slug = models.SlugField(max_length=80, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    name = models.CharField(unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Author(models.Model):
    """A person who writes or edits; with a login only where `user` is set."""

    name = models.CharField()
    byline = models.CharField(help_text="As printed above an article.")
    desk = models.CharField(max_length=60, blank=True)
    role = models.CharField(max_length=60, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="author"
    )
    external_id = models.CharField(
        unique=True, null=True, blank=True, help_text="Identity in the system it was imported from."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    SCHEDULED = "scheduled", "Scheduled"
    PUBLISHED = "published", "Published"
    ARCHIVED = "archived", "Archived"


class BodyFormat(models.TextChoices):
    HTML = "html", "HTML"
    PLAIN = "plain", "Plain text"


class Article(models.Model):
    """An article. Its status changes through newsroom.workflow only."""

    headline = models.CharField(
        max_length=HEADLINE_LIMIT,
        validators=[Storable("headline")],
        error_messages={"max_length": too_long("headline")},
    )
    standfirst = models.TextField(
        blank=True, validators=[MaxLengthValidator(STANDFIRST_LIMIT, too_long("standfirst")), Storable("standfirst")]
    )
    body = models.TextField(blank=True, validators=[MaxLengthValidator(BODY_LIMIT, too_long("body")), Storable("body")])
    body_format = models.CharField(max_length=8, choices=BodyFormat.choices, default=BodyFormat.HTML, editable=False)
    slug = models.SlugField(max_length=120, unique=True, allow_unicode=True)
    section = models.ForeignKey(Section, null=True, blank=True, on_delete=models.PROTECT, related_name="articles")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT, editable=False)
    published_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it became public, or is scheduled to."
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="articles")
    authors = models.ManyToManyField(Author, through="Credit", related_name="articles")
    external_id = models.CharField(
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="Identity in the system it was imported from.",
    )
    source_path = models.CharField(
        blank=True, editable=False, help_text="Its place in the system it was imported from."
    )
    source_status = models.CharField(
        blank=True, editable=False, help_text="Its status in the system it was imported from."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField("last change", auto_now=True)

    class Meta:
        ordering = ["-updated_at", "-id"]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="article_newest"),
            models.Index(fields=["published_at"], name="article_due", condition=models.Q(status=Status.SCHEDULED)),
        ]
        permissions = [("publish_article", "Can schedule, publish, unpublish and archive articles")]

    def __str__(self) -> str:
        return self.headline or "(no headline yet)"


class Credit(models.Model):
    """An author named above an article; `position` orders them."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="credits")
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="credits")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["article", "author"],
                name="credit_once",
                violation_error_message="This author is credited already.",
            )
        ]

    def __str__(self) -> str:
        return str(self.author)


class ImportedArticle(models.Model):
    """Which article an imported one is, and its last imported revision.

    Outlives the article: created again under the same external identity, it gets the same primary key.
    """

    external_id = models.CharField(primary_key=True)
    article_pk = models.BigIntegerField(unique=True)
    revision = models.PositiveIntegerField()
