"""Who may do what: groups and their permissions, as `app.codename` or `app.view_*`.

No role changes users or groups: who does can be anybody. That is for superusers, and the trail has it.
"""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

REPORTER = "Reporters"
EDITOR = "Editors"
PLATFORM_ADMIN = "Platform admins"
AUDITOR = "Auditors"

_WRITING = (
    "newsroom.view_*",
    "newsroom.add_article",
    "newsroom.change_article",
    "newsroom.add_credit",
    "newsroom.change_credit",
    "newsroom.delete_credit",
    "newsroom.add_tag",
)
ROLES: dict[str, tuple[str, ...]] = {
    REPORTER: _WRITING,
    EDITOR: (
        *_WRITING,
        "newsroom.publish_article",
        "newsroom.delete_article",
        "newsroom.change_tag",
        "audittrail.view_*",
    ),
    PLATFORM_ADMIN: (
        "newsroom.view_*",
        "audittrail.view_*",
        "consumers.view_*",
        "consumers.change_stagecontrol",
        "consumers.change_deadletter",
        "consumers.change_setasideevent",
        "auth.view_*",
    ),
    AUDITOR: ("newsroom.view_*", "audittrail.view_*", "consumers.view_*", "auth.view_*"),
}


def create_roles() -> dict[str, Group]:
    """Create or update every group, and return them by name."""
    return {name: _group(name, patterns) for name, patterns in ROLES.items()}


def _group(name: str, patterns: tuple[str, ...]) -> Group:
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.set(Permission.objects.filter(_matching(patterns)))
    return group


def _matching(patterns: tuple[str, ...]) -> Q:
    query = Q(pk__in=())
    for pattern in patterns:
        app, codename = pattern.split(".")
        wildcard = codename.endswith("*")
        rule = Q(codename__startswith=codename[:-1]) if wildcard else Q(codename=codename)
        query |= Q(content_type__app_label=app) & rule
    return query
