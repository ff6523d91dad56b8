"""What of the newsroom is kept in the audit trail."""

from django.contrib.auth import get_user_model

from audittrail import Relation, track, track_actor
from newsroom.models import Article, Author, Status

track(
    Article,
    fields=("headline", "slug", "status", "section", "published_at", "body_format", "source_path", "source_status"),
    texts=("standfirst", "body"),
    relations=(Relation("tags", label="name"), Relation("credits", value="author", order="position", label="byline")),
    labels={"section": "name"},
    title="headline",
    status="status",
    published=(Status.PUBLISHED.value,),
)
track_actor(Author, name="name", byline="byline", role="role", desk="desk")
track_actor(get_user_model(), name="username")
