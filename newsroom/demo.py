"""Logins to try the site with: one for each role."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db import transaction

from newsroom import roles
from newsroom.models import Author


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str
    role: str
    can: str
    name: str = ""
    desk: str = ""


LOGINS = (
    Login(
        "editor",
        "editor-demo",
        roles.EDITOR,
        "writes and publishes articles, sees their timelines",
        "Eleanor Marsh",
        "News desk",
    ),
    Login(
        "platform-admin", "platform-admin-demo", roles.PLATFORM_ADMIN, "starts, stops, pauses and scales the consumers"
    ),
    Login("auditor", "auditor-demo", roles.AUDITOR, "reads everything, changes nothing"),
)


@transaction.atomic
def create_logins() -> None:
    """Make every login, or set it back to its password and role."""
    groups = roles.create_roles()
    for login in LOGINS:
        user, _ = get_user_model().objects.get_or_create(username=login.username)
        user.is_staff, user.is_active = True, True
        user.set_password(login.password)
        user.save()
        user.groups.set([groups[login.role]])
        if login.name:
            Author.objects.get_or_create(
                user=user, defaults={"name": login.name, "byline": login.name, "desk": login.desk, "role": "Editor"}
            )
