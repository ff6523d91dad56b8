"""No address of the site answers garbage with an error of its own: it is a 400 or a 404, with a page."""

import base64
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

NUL = "\0"
AWAY = (503,)
"""The search index is not there in these tests, which its pages say."""
PARTS = ("abc", "0", "-1", "9" * 40, "a" * 3_000, "é", "..", NUL, "1 OR 1=1", "00000000-0000-0000-0000-000000000000")
VALUES = (NUL, "abc", "-1", "9" * 40, "é" * 600, "cD1nYXJiYWdl", "2026-13-45", "[]", "%", "1,2")
NAMES = (
    "action", "actor", "after", "at", "before", "cursor", "e", "field", "format", "from", "fold", "kind", "next", "o",
    "object_id", "page", "p", "person", "q", "sequence", "since", "size", "sort", "stage", "status", "term", "text",
    "to", "until", "_popup", "_to_field", "_changelist_filters", "app_label", "model_name", "field_name", "all",
)  # fmt: skip


def addresses() -> list[str]:
    """Each pattern of the site with places for its parts: `/admin/newsroom/article/{}/change/`."""
    return sorted({each for each in _below(get_resolver(), "/") if "logout" not in each})


def _below(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _below(each, prefix + _filled(each))
        elif isinstance(each, URLPattern):
            yield prefix + _filled(each)


def _filled(pattern: URLPattern | URLResolver) -> str:
    route = str(pattern.pattern)
    return "{}" if "(?P" in route else re.sub(r"<[^>]+>", "{}", route).strip("^$")


def filters() -> dict[str, list[str]]:
    """The parameters by which the lists of the admin filter."""
    return {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/": list(_parameters(model_admin.list_filter))
        for model, model_admin in admin.site._registry.items()
    }


def _parameters(listed: Any) -> Iterator[str]:
    for each in listed:
        name = each[0] if isinstance(each, list | tuple) else each
        if isinstance(name, str):
            yield from (f"{name}__{lookup}" for lookup in ("exact", "isnull", "gte", "id__exact"))


@pytest.fixture(scope="module")
def clients(module_database) -> list[Client]:
    """Nobody, and somebody who may see everything."""
    root = Client(raise_request_exception=False)
    root.force_login(get_user_model().objects.create_superuser("root"))
    return [Client(raise_request_exception=False), root]


def broken(answers: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(what[:200], status) for what, status in answers if status >= 500 and status not in AWAY]


def test_garbage_in_addresses(clients):
    def answers():
        for client, address, part in product(clients, addresses(), PARTS):
            if "{}" in address:
                filled = address.replace("{}", part)
                yield filled, client.get(filled).status_code

    assert broken(answers()) == []


def test_garbage_in_parameters(clients):
    """All of them at once, then each alone where the first that is refused would hide those behind it."""
    known = filters()

    def answers():
        for address in addresses():
            at = address.replace("{}", "1")
            names = [*NAMES, *known.get(at, ())]
            for value in VALUES:
                yield f"{at} all {value!r}", clients[1].get(at, dict.fromkeys(names, value)).status_code
            for name in known.get(at, NAMES if "/api/" in at or "trail" in at else ()):
                for value in (NUL, "cD1nYXJiYWdl", "9" * 40):
                    yield f"{at}?{name}", clients[1].get(at, {name: value}).status_code

    assert broken(answers()) == []


BODIES = {
    "application/json": (b"{", b"[]", b'{"a": "\\u0000"}', b"\xff\xfe", b"9" * 100, b"null"),
    "application/x-www-form-urlencoded": (b"username=%00&password=%00&action=%00", b"a=%ff", b"=&&="),
    "multipart/form-data; boundary=x": (b"--x\r\n", b"\x00"),
    "nonsense": (b"\x00",),
}  # fmt: skip


def test_garbage_in_bodies(clients):
    def answers():
        for client, address, (kind, bodies) in product(clients, addresses(), BODIES.items()):
            at = address.replace("{}", "1")
            for body in bodies:
                yield f"{at} {kind} {body!r}", client.post(at, body, content_type=kind).status_code

    assert broken(answers()) == []


HEADERS = (
    {"Authorization": "Basic AGE6YgA="},
    {"Authorization": "Basic " + base64.b64encode(b"a" * 5_000 + b":b").decode()},
    {"Authorization": "Basic " + base64.b64encode("é:b".encode()).decode()},
    {"Authorization": "Basic \xff"},
    {"Authorization": "Basic"},
    {"Authorization": "Basic YTpi", "Accept": "application/json"},
    {"Cookie": "sessionid=\0; csrftoken=" + "x" * 5_000},
    {"Accept": "nonsense"},
    {"Accept-Language": "\0;q=z"},
    {"If-Modified-Since": "garbage", "If-None-Match": "\0"},
    {"X-Request-ID": "\0" * 10, "traceparent": "\0", "X-Forwarded-For": "\0, ,[::"},
)  # fmt: skip


def test_garbage_in_headers(clients):
    def answers():
        for client, address, headers in product(clients, addresses(), HEADERS):
            at = address.replace("{}", "1")
            yield f"{at} {headers}", client.get(at, headers=headers).status_code

    assert broken(answers()) == []
