"""Who may change logins and roles, and what the trail keeps of it for whom."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from audittrail.models import AuditEvent, Head, OutboxEvent
from audittrail.search import index, queries
from newsroom import demo

NO_ADMINS = [login.username for login in demo.LOGINS]


@pytest.fixture
def somebody(users):
    return get_user_model().objects.create_user(f"kim-{uuid.uuid4().hex}", "kim@example.org", "first-password")


@pytest.fixture
def superuser(users):
    return get_user_model().objects.create_superuser(f"root-{uuid.uuid4().hex}")


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def events_of(subject) -> list[OutboxEvent]:
    identity = f"{subject._meta.label_lower}:{subject.pk}"
    return list(OutboxEvent.objects.filter(article_id=identity).order_by("sequence"))


def last_change(subject, field: str) -> dict:
    (change,) = [each for each in events_of(subject)[-1].changes if each["field"] == field]
    return change


def test_a_superuser_s_change_is_an_event_of_theirs(somebody, superuser):
    url = reverse("admin:auth_user_change", args=[somebody.pk])
    form = {"username": somebody.username, "is_active": "on", "is_staff": "on", "date_joined_0": "2026-11-26"}
    answer = logged_in(superuser).post(url, form | {"date_joined_1": "10:00:00"})
    assert answer.status_code == 302
    event = events_of(somebody)[-1]
    assert (event.sequence, event.actor_id) == (2, f"auth.user:{superuser.pk}")
    assert last_change(somebody, "is_staff")["after"] == "true"


def test_a_new_group_of_a_user_is_an_event(somebody):
    group = Group.objects.create(name=f"night desk {uuid.uuid4().hex}")
    somebody.groups.add(group)
    assert last_change(somebody, "groups")["after_ids"] == [str(group.pk)]


def test_a_permission_of_a_user_is_an_event(somebody):
    permission = Permission.objects.get(codename="publish_article")
    somebody.user_permissions.add(permission)
    assert last_change(somebody, "user_permissions")["after_ids"] == [str(permission.pk)]
    assert events_of(somebody)[-1].labels["user_permissions"] == {str(permission.pk): "publish_article"}


def test_a_permission_of_a_group_is_an_event(users):
    group = Group.objects.create(name=f"night desk {uuid.uuid4().hex}")
    group.permissions.add(Permission.objects.get(codename="publish_article"))
    assert [event.sequence for event in events_of(group)] == [1, 2]


def test_of_a_new_password_the_event_shows_that_it_changed(somebody):
    before = somebody.password
    somebody.set_password("second-password")
    somebody.save()
    change = last_change(somebody, "password")
    assert change["before"] != change["after"] and change["after"].startswith("masked:")
    kept = [*OutboxEvent.objects.values(), *Head.objects.values()]
    assert before not in str(kept) and somebody.password not in str(kept)


def test_a_login_is_no_event(somebody):
    assert Client().login(request=HttpRequest(), username=somebody.username, password="first-password")
    somebody.refresh_from_db()
    assert somebody.last_login and len(events_of(somebody)) == 1


@pytest.mark.parametrize("username", NO_ADMINS)
def test_no_role_changes_users_or_groups(users, username):
    user, client = users[username], logged_in(users[username])
    group = user.groups.get()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    for address in (
        reverse("admin:auth_user_add"),
        reverse("admin:auth_user_change", args=[user.pk]),
        reverse("admin:auth_user_delete", args=[user.pk]),
        reverse("admin:auth_user_password_change", args=[user.pk]),
        reverse("admin:auth_group_add"),
        reverse("admin:auth_group_change", args=[group.pk]),
    ):
        form = {"username": user.username, "is_superuser": "on", "password1": "own3d-it", "password2": "own3d-it"}
        assert client.post(address, form | {"name": "x", "post": "yes"}).status_code == 403
    user.user_permissions.clear()


@pytest.fixture
def stored(somebody):
    """An event of a user and one of an article, at rest."""
    common = dict.fromkeys(("salt", "state_digest", "previous_hash", "hash"), b"x") | {
        "sequence": 1, "operation": "create", "action": "created", "actor_type": "unknown", "schema_version": 2,
    }  # fmt: skip
    captured = events_of(somebody)[0]
    article = f"newsroom.article:{uuid.uuid4().int % 10**9}"
    for identity, kind in ((captured.article_id, "auth.user"), (article, "newsroom.article")):
        AuditEvent.objects.using("owner").create(
            event_id=uuid.uuid4(),
            article_id=identity,
            kind=kind,
            title=somebody.username,
            occurred_at=captured.occurred_at,
            recorded_at=captured.recorded_at,
            keyframe={"values": {"username": somebody.username}, "relations": {}},
            **common,
        )
    return captured.article_id


def addresses_of(article_id: str) -> list[str]:
    event = AuditEvent.objects.get(article_id=article_id)
    page = {"article_id": article_id}
    one = page | {"sequence": 1}
    return [
        reverse("admin:audittrail_timeline", kwargs=page),
        reverse("admin:audittrail_news", kwargs=page),
        reverse("admin:audittrail_compare", kwargs=page) + "?from=1&to=1",
        reverse("admin:audittrail_export_csv", kwargs=page),
        reverse("admin:audittrail_event", kwargs=one),
        reverse("admin:audittrail_version", kwargs=one),
        reverse("api_article", kwargs=page),
        reverse("api_article_events", kwargs=page),
        reverse("api_article_version", kwargs=one),
        reverse("api_event", kwargs={"event_id": event.event_id}),
    ]


def test_the_timeline_of_a_user_is_for_who_may_view_users(users, stored):
    allowed = {
        username: {logged_in(users[username]).get(address).status_code for address in addresses_of(stored)}
        for username in NO_ADMINS
    }
    assert allowed == {"editor": {404}, "platform-admin": {200}, "auditor": {200}}


def test_an_event_of_a_user_is_not_led_to_by_its_identity(users, stored):
    identity = AuditEvent.objects.get(article_id=stored).event_id
    address = reverse("admin:audittrail_auditevent_change", args=[identity])
    assert logged_in(users["editor"]).get(address).status_code == 404
    assert logged_in(users["auditor"]).get(address).status_code == 302


def test_users_are_listed_on_request_and_to_who_may_view_them(users, stored, somebody):
    page, title = reverse("admin:audittrail_articles"), somebody.username
    auditor, editor = logged_in(users["auditor"]), logged_in(users["editor"])
    assert stored not in auditor.get(page, {"text": title}).content.decode()
    assert stored in auditor.get(page, {"kind": "auth.user", "text": title}).content.decode()
    assert editor.get(page, {"kind": "auth.user"}).status_code == 400
    assert 'name="kind"' not in editor.get(page).content.decode()


def test_the_api_lists_users_to_who_may_view_them(users, stored):
    listed = {
        username: stored in logged_in(users[username]).get(reverse("api_articles"), {"size": 200}).content.decode()
        for username in ("editor", "auditor")
    }
    assert listed == {"editor": False, "auditor": True}


def test_a_search_leaves_out_what_the_reader_may_not_see(users, monkeypatch):
    asked = []

    def search(**request):
        asked.append(request["query"]["bool"]["must_not"])
        raise index.SearchUnavailable("away")

    monkeypatch.setattr(index, "search", search)
    for username in ("editor", "auditor"):
        logged_in(users[username]).get(reverse("admin:audittrail_search"), {"q": "kim"})
        logged_in(users[username]).get(reverse("api_search"), {"q": "kim"})
    hidden = [{"terms": {"kind": ["auth.group", "auth.user"]}}]
    assert asked == [hidden, hidden, [], []]
    with pytest.raises(index.SearchUnavailable):
        queries.histogram("kim", without_kinds=["auth.user"])
    assert asked[-1] == [{"terms": {"kind": ["auth.user"]}}]
