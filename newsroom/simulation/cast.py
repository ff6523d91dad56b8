"""The people of the simulated newsroom: users with authors, in the roles of a real one, and nobody who can log in."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User

import audittrail
from newsroom import roles
from newsroom.models import Author

HIRING = audittrail.Actor("service", "newsroom.simulation")

REPORTER, SUB_EDITOR, DESK_EDITOR = "Reporter", "Sub-editor", "Desk editor"
_GROUP_OF_ROLE = {REPORTER: roles.REPORTER, SUB_EDITOR: roles.REPORTER, DESK_EDITOR: roles.EDITOR}

_PEOPLE = (
    ("Kim Oduya", REPORTER, "Politics"),
    ("Martha Ellery", REPORTER, "Politics"),
    ("Tomasz Brandt", REPORTER, "Business"),
    ("Priya Nandakumar", REPORTER, "Business"),
    ("Lewis Carrow", REPORTER, "Local"),
    ("Siobhan Keane", REPORTER, "Local"),
    ("Anneke de Wit", REPORTER, "Science"),
    ("Rafael Ortuño", REPORTER, "Science"),
    ("Dele Akintola", REPORTER, "Sport"),
    ("Freya Lindqvist", REPORTER, "Sport"),
    ("Hana Yoshida", REPORTER, "Culture"),
    ("Noor Haddad", REPORTER, "Culture"),
    ("Gwen Prosser", SUB_EDITOR, "Subs' desk"),
    ("Ivan Petkov", SUB_EDITOR, "Subs' desk"),
    ("Colette Marchand", SUB_EDITOR, "Subs' desk"),
    ("Jonas Weber", DESK_EDITOR, "News desk"),
    ("Aisha Rahman", DESK_EDITOR, "News desk"),
    ("Peter Calloway", DESK_EDITOR, "Night desk"),
)


@dataclass(frozen=True, slots=True)
class Member:
    author: Author
    user: User
    role: str
    desk: str


def hire() -> list[Member]:
    """The cast, made where it does not exist."""
    with audittrail.context(actor=HIRING, channel="simulation"):
        groups = roles.create_roles()
        return [_member(name, role, desk, groups[_GROUP_OF_ROLE[role]]) for name, role, desk in _PEOPLE]


def _member(name: str, role: str, desk: str, group: Group) -> Member:
    user, created = get_user_model().objects.get_or_create(
        username=name.lower().replace(" ", "."), defaults={"is_staff": True}
    )
    if created:
        user.set_unusable_password()
        user.save()
    user.groups.set([group])
    author, _ = Author.objects.get_or_create(
        user=user, defaults={"name": name, "byline": name, "role": role, "desk": desk}
    )
    return Member(author, user, role, desk)
