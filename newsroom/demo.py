"""Logins to try the site with: one for each role."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

import audittrail
from newsroom import roles
from newsroom.models import Author

SETUP = audittrail.Actor("service", "newsroom.demo")


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


def create_logins() -> None:
    """Make every login, or set it back to its password and role."""
    with audittrail.context(actor=SETUP, channel="command"):
        _create_logins(roles.create_roles())


def _create_logins(groups: dict[str, Group]) -> None:
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
