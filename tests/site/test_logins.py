"""Failed logins are counted, told, and refused after some; by form and by Basic."""

import base64
import logging

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

pytestmark = pytest.mark.usefixtures("fresh_database")


@pytest.fixture
def kim(settings):
    settings.AXES_FAILURE_LIMIT = 3
    return get_user_model().objects.create_user("kim", password="kim-pass", is_staff=True, is_superuser=True)


def by_form(client: Client, password: str, **headers: str) -> int:
    form = {"username": "kim", "password": password, "next": "/admin/"}
    return client.post("/admin/login/", form, headers=headers).status_code


def by_basic(client: Client, password: str, name: str = "kim") -> int:
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return client.get("/api/articles/", headers={"Authorization": f"Basic {credentials}"}).status_code


@pytest.mark.parametrize(("attempt", "refused", "let_in"), [(by_form, 200, 302), (by_basic, 403, 200)])
def test_after_some_failures_even_the_right_password_waits(kim, attempt, refused, let_in):
    client = Client()
    assert attempt(client, "kim-pass") == let_in
    assert [attempt(client, "wrong") for _ in range(3)] == [refused, refused, 429]
    assert attempt(client, "kim-pass") == 429
    assert attempt(Client(REMOTE_ADDR="198.51.100.7"), "kim-pass") == let_in


def test_a_request_that_is_rolled_back_is_counted_all_the_same(kim):
    client = Client()
    headers = {"Authorization": "Basic " + base64.b64encode(b"kim:wrong").decode()}
    answers = [client.post("/api/dead-letters/replay/", headers=headers).status_code for _ in range(3)]
    assert answers == [403, 403, 429]


def test_a_success_begins_the_count_anew(kim):
    client = Client()
    for _ in range(3):
        assert [by_form(client, "wrong"), by_form(client, "wrong"), by_form(client, "kim-pass")] == [200, 200, 302]


def test_a_forged_address_is_no_way_round(kim):
    client = Client()
    assert [by_form(client, "wrong", x_forwarded_for=f"203.0.113.{n}") for n in range(3)][-1] == 429


def test_a_failure_is_logged_with_name_and_address_and_without_the_password(kim, caplog):
    with caplog.at_level(logging.INFO):
        by_form(Client(REMOTE_ADDR="198.51.100.7"), "a-wrong-password")
    (line,) = [record.getMessage() for record in caplog.records if "failure by" in record.getMessage()]
    assert "kim" in line and "198.51.100.7" in line and "a-wrong-password" not in caplog.text


def test_whoever_is_refused_is_told_what_to_do(kim):
    client = Client()
    for _ in range(3):
        by_form(client, "wrong")
    answer = client.post("/admin/login/", {"username": "kim", "password": "kim-pass"})
    assert "Wait 15 minutes" in answer.content.decode() and answer["Retry-After"] == "900"


def test_superusers_see_who_was_refused_and_let_them_in(kim):
    for _ in range(3):
        by_form(Client(), "wrong")
    root = Client()
    root.force_login(get_user_model().objects.create_superuser("root"), "django.contrib.auth.backends.ModelBackend")
    assert "kim" in root.get("/admin/axes/accessattempt/").content.decode()
    attempts = root.get("/admin/axes/accessattempt/").context["cl"].queryset
    root.post(
        "/admin/axes/accessattempt/",
        {"action": "delete_selected", "_selected_action": [each.pk for each in attempts], "post": "yes"},
    )
    assert by_form(Client(), "kim-pass") == 302


@pytest.mark.parametrize("name", ["a\0b", "a" * 5_000])
def test_a_name_that_nobody_has_asks_no_database(kim, name, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert by_basic(Client(), "x", name) == 403
