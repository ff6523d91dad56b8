"""What a newsroom of strangers may look like: keys that are no numbers, inheritance, children, odd columns."""

import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, IntegerRangeField
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "email"
    objects: BaseUserManager = BaseUserManager()


class Topic(models.Model):
    slug = models.SlugField(primary_key=True)
    name = models.CharField(max_length=100)


class Agency(models.Model):
    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=100)


class Page(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    summary = models.TextField(default="")


class Article(Page):
    number = models.CharField(max_length=20, unique=True)
    body = models.TextField(default="")
    topic = models.ForeignKey(Topic, models.PROTECT, null=True)
    agency = models.ForeignKey(Agency, models.PROTECT, null=True, to_field="code")
    editor = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")
    place = models.CharField(max_length=100, default="", db_collation="case_insensitive")
    keywords = ArrayField(models.CharField(max_length=50), default=list)
    deadlines = ArrayField(models.DateTimeField(), default=list)
    embargo = DateTimeRangeField(null=True)
    pages = IntegerRangeField(null=True)
    layout = models.JSONField(default=dict)
    price = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    reading_time = models.DurationField(null=True)


class Image(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    article = models.ForeignKey(Article, models.CASCADE, related_name="images")
    position = models.IntegerField(default=0)
    caption = models.CharField(max_length=200, default="")
    alt = models.CharField(max_length=200, default="")


class Translation(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="translations")
    language = models.CharField(max_length=10)
    text = models.TextField(default="")


class Footnote(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="footnotes")
    text = models.TextField(default="")


class Contribution(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="contributions")
    person = models.ForeignKey(Person, models.SET_NULL, null=True)


class Correction(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, to_field="number", related_name="corrections")
    note = models.CharField(max_length=200)
