"""The sidebar: what a person may see, in the order of their day."""

from collections.abc import Callable
from typing import NotRequired, TypedDict

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from consumers.models import DeadLetter
from consumers.operations import quarantine


class Item(TypedDict):
    """One line of the sidebar, as Unfold reads it."""

    title: str
    icon: str
    link: str
    badge: NotRequired[int]


class Section(TypedDict):
    title: str
    items: list[Item]


_ENTRIES = {
    "Audit trail": (
        ("Articles", "history_edu", "admin:audittrail_articles", "audittrail.view_auditevent"),
        ("Search", "search", "admin:audittrail_search", "audittrail.view_auditevent"),
        ("Consumers", "lan", "admin:consumers_overview", "consumers.view_stagecontrol"),
        ("Dead letters", "mail_off", "admin:consumers_deadletter_changelist", "consumers.view_deadletter"),
        ("Events set aside", "rule", "admin:consumers_setasideevent_changelist", "consumers.view_setasideevent"),
    ),
    "Newsroom": (
        ("Write", "edit_note", "admin:newsroom_article_changelist", "newsroom.view_article"),
        ("Authors", "groups", "admin:newsroom_author_changelist", "newsroom.view_author"),
        ("Sections", "category", "admin:newsroom_section_changelist", "newsroom.view_section"),
        ("Tags", "sell", "admin:newsroom_tag_changelist", "newsroom.view_tag"),
    ),
    "People": (
        ("Users", "person", "admin:auth_user_changelist", "auth.view_user"),
        ("Groups", "shield_person", "admin:auth_group_changelist", "auth.view_group"),
    ),
}


_WAITING: dict[str, Callable[[], int]] = {
    "admin:consumers_deadletter_changelist": lambda: DeadLetter.objects.waiting().count(),
    "admin:consumers_setasideevent_changelist": lambda: quarantine.waiting().count(),
}
"""What waits for somebody on a page."""


def sections(request: HttpRequest) -> list[Section]:
    """Unfold's navigation, without what this person may not view and pages of apps that are not installed."""
    found: list[Section] = [
        {"title": title, "items": [item for entry in entries if (item := _item(request, *entry))]}
        for title, entries in _ENTRIES.items()
    ]
    return [section for section in found if section["items"]]


def _item(request: HttpRequest, title: str, icon: str, name: str, permission: str) -> Item | None:
    if not request.user.has_perm(permission):
        return None
    try:
        item: Item = {"title": title, "icon": icon, "link": reverse(name)}
    except NoReverseMatch:
        return None
    if waiting := _WAITING.get(name, lambda: 0)():
        item["badge"] = waiting
    return item
