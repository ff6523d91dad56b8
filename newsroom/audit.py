"""What of the newsroom is kept in the audit trail."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

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
# Who may do what. A login changes `last_login` alone, which is no event.
track(
    get_user_model(),
    fields=("username", "email", "is_active", "is_staff", "is_superuser", "password"),
    masked=("password",),
    relations=(Relation("groups", label="name"), Relation("user_permissions", label="codename")),
    title="username",
    view_permission="auth.view_user",
)
track(
    Group,
    fields=("name",),
    relations=(Relation("permissions", label="codename"),),
    title="name",
    view_permission="auth.view_group",
)
track_actor(Author, name="name", byline="byline", role="role", desk="desk")
track_actor(get_user_model(), name="username")
