"""What migrations lead to: a migration changes what differs from these models before it."""

from django.db import models


class Section(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "migrated"


class Topic(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "migrated"


class Story(models.Model):
    title = models.CharField(max_length=50)
    body = models.TextField(default="")
    words = models.IntegerField(default=0)
    section = models.ForeignKey(Section, on_delete=models.PROTECT, null=True)
    topics = models.ManyToManyField(Topic)

    class Meta:
        app_label = "migrated"
        indexes = (models.Index(fields=["title"], name="story_title"),)
        constraints = (models.CheckConstraint(condition=models.Q(words__gte=0), name="story_words"),)
        verbose_name = "story"


class Image(models.Model):
    story = models.ForeignKey(Story, on_delete=models.CASCADE, related_name="images")
    caption = models.CharField(max_length=50, default="")
    text = models.TextField(default="")

    class Meta:
        app_label = "migrated"


MODELS = (Section, Topic, Story, Image)
