"""Who, from where, on whose behalf: what requests and tasks put on the events they cause."""

import uuid
from typing import Any

import pytest
from celery import shared_task
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from audittrail import Actor, article_id, context
from audittrail.capture.middleware import AuditContextMiddleware
from audittrail.capture.task import AuditedTask
from audittrail.models import OutboxEvent
from newsroom.models import Article, Author


def save_article(**values) -> Article:
    return Article.objects.create(headline="Bridge", body="b", slug=uuid.uuid4().hex, **values)


def last_event(article: Article) -> OutboxEvent:
    return OutboxEvent.objects.filter(article_id=article_id(article)).latest("sequence")


def answered(view, request) -> HttpResponseBase:
    """The response to a request, as Django has it made: process_view, then the view."""

    def resolved(request):
        middleware.process_view(request, view, (), {})
        return view(request)

    middleware = AuditContextMiddleware(resolved)
    return middleware(request)


@pytest.mark.usefixtures("fresh_database")
def test_a_request_puts_its_sender_on_what_it_changes():
    user = get_user_model().objects.create_user("kim")
    author = Author.objects.create(name="Kim", byline="Kim", user=user)
    made = []

    def view(request):
        made.append(save_article())
        return HttpResponse()

    request = RequestFactory().post(
        "/admin/x", headers={"X-Request-ID": "r-1", "X-Correlation-ID": "c-1", "User-Agent": "browser"}
    )
    request.user = user
    answered(view, request)
    event = last_event(made[0])
    assert (event.actor_type, event.actor_id) == ("user", f"newsroom.author:{author.pk}")
    assert event.context == {
        "request_id": "r-1",
        "correlation_id": "c-1",
        "ip": "127.0.0.1",
        "user_agent": "browser",
        "channel": "web",
    }


@pytest.mark.usefixtures("fresh_database")
def test_a_request_whose_view_fails_leaves_nothing_behind(client):
    user = get_user_model().objects.create_superuser("root", password="root-pass")
    client.force_login(user)
    client.raise_request_exception = False
    before = Article.objects.count()
    with pytest.MonkeyPatch.context() as patch:
        from newsroom.admin import ArticleAdmin

        def broken(self, request, obj, form, change):
            save_article()
            raise ZeroDivisionError

        patch.setattr(ArticleAdmin, "save_model", broken)
        inlines = {
            "credits-TOTAL_FORMS": 0,
            "credits-INITIAL_FORMS": 0,
            "credits-MIN_NUM_FORMS": 0,
            "credits-MAX_NUM_FORMS": 0,
        }
        response = client.post(
            "/admin/newsroom/article/add/",
            {"headline": "H", "slug": "h", "body": "<p>b</p>", "standfirst": "", **inlines},
        )
    assert response.status_code == 500
    assert Article.objects.count() == before


@pytest.mark.usefixtures("fresh_database")
@pytest.mark.parametrize(("status", "kept"), [(200, 1), (302, 1), (400, 0), (403, 0), (500, 0)])
def test_a_response_that_reports_failure_leaves_nothing_behind(status, kept):
    def view(request):
        save_article()
        return HttpResponse(status=status)

    request = RequestFactory().post("/x")
    request.user = AnonymousUser()
    before = Article.objects.count()
    answered(view, request)
    assert Article.objects.count() == before + kept


@shared_task(base=AuditedTask, name="tests.save_article")
def save_in_a_task() -> int:
    return save_article().pk


@pytest.mark.usefixtures("fresh_database")
def test_a_task_acts_for_whoever_sent_it(settings):
    with context(actor=Actor("user", "newsroom.author:7"), request_id="r-2", ip="203.0.113.9", channel="web"):
        result = save_in_a_task.apply(headers=_header_of_current())
    event = last_event(Article(pk=result.get()))
    assert event.actor_id == "newsroom.author:7"
    assert event.context == {"request_id": "r-2", "ip": "203.0.113.9", "channel": "task"}


def _header_of_current() -> dict[str, Any]:
    from audittrail.capture.acting import current
    from audittrail.capture.task import _as_header

    now = current()
    assert now is not None
    return {"audit_context": _as_header(now)}


@pytest.mark.usefixtures("fresh_database")
@pytest.mark.parametrize("call", [save_in_a_task, lambda: save_in_a_task.apply().get()], ids=["direct", "apply"])
def test_a_task_called_in_the_process_acts_for_the_context_around_it(call):
    with context(actor=Actor("user", "newsroom.author:7"), request_id="r-3"):
        pk = call()
    event = last_event(Article(pk=pk))
    assert (event.actor_id, event.context) == ("newsroom.author:7", {"request_id": "r-3", "channel": "task"})


@pytest.mark.usefixtures("fresh_database")
def test_a_task_sent_by_nobody_acts_as_itself():
    event = last_event(Article(pk=save_in_a_task.apply().get()))
    assert (event.actor_type, event.actor_id, event.context) == ("service", "tests.save_article", {"channel": "task"})


def test_an_actor_of_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="user, service, system, unknown"):
        Actor("editor")
