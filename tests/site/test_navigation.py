"""The sidebar: what a person may see, and what waits there."""

import re

import pytest
from django.test import RequestFactory

from auditsite.navigation import sections
from consumers import conf
from testkit.consumers.letters import letter

pytestmark = pytest.mark.usefixtures("fresh_database")


def badges(user) -> dict[str, int | None]:
    request = RequestFactory().get("/admin/")
    request.user = user
    return {item["title"]: item.get("badge") for section in sections(request) for item in section["items"]}


def test_what_waits_is_counted_beside_its_page(boss):
    for _ in range(2):
        letter(conf.raw_topic())
    found = badges(boss)
    assert (found["Dead letters"], found["Events set aside"], found["Consumers"]) == (2, None, None)


def test_nothing_that_waits_is_no_number(boss):
    assert set(badges(boss).values()) == {None}


def test_a_page_shows_the_number(client, boss):
    letter(conf.raw_topic())
    client.force_login(boss)
    page = client.get("/admin/consumers/deadletter/").content.decode()
    assert re.search(r"Dead letters</span>\s*<span class=\"[^\"]*\">\s*1\s*</span>", page)
