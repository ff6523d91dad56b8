"""Views that save an article, each in its own way."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model, login
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from newsroom.models import Article


def save() -> Article:
    return Article.objects.create(headline="Bridge", body="b", slug=uuid.uuid4().hex)


class Saving(APIView):
    authentication_classes = (BasicAuthentication,)
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        save()
        return Response()


class Refusing(Saving):
    def post(self, request: Request) -> Response:
        save()
        raise PermissionDenied


def saving(request: HttpRequest) -> HttpResponse:
    save()
    return HttpResponse()


def by_sql(request: HttpRequest) -> HttpResponse:
    """With a literal per cent sign, and without parameters."""
    save()
    with connections["default"].cursor() as cursor:
        cursor.execute("UPDATE newsroom_article SET headline = '100 %'")
        assert cursor.rowcount == Article.objects.count()
        cursor.executemany("UPDATE newsroom_article SET headline = %s", [("90 %",), ("80 %",)])
    return HttpResponse()


def logging_in(request: HttpRequest) -> HttpResponse:
    login(request, get_user_model().objects.get(username="kim"), "django.contrib.auth.backends.ModelBackend")
    save()
    return HttpResponse()


def streaming(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        save()
        yield b"."

    return StreamingHttpResponse(chunks())


async def async_streaming(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        await sync_to_async(save)()
        yield b"."

    return StreamingHttpResponse(chunks())


async def in_async(request: HttpRequest) -> HttpResponse:
    await asyncio.gather(sync_to_async(save)(), Article.objects.acreate(headline="2", body="b", slug="2"))
    return HttpResponse()


def in_a_thread(request: HttpRequest) -> HttpResponse:
    def work() -> None:
        save()
        connections.close_all()

    thread = threading.Thread(target=copy_context().run, args=[work])
    thread.start()
    thread.join()
    return HttpResponse()


@transaction.non_atomic_requests
def durable(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(durable=True):
        save()
    return HttpResponse(status=400)


def behind_a_savepoint(request: HttpRequest) -> HttpResponse:
    try:
        with transaction.atomic():
            save()
            raise LookupError
    except LookupError:
        save()
    return HttpResponse()


VIEWS: dict[str, Any] = {
    view.__name__: view
    for view in (saving, by_sql, logging_in, streaming, async_streaming, in_async, in_a_thread, durable)
} | {"behind_a_savepoint": behind_a_savepoint, "drf": Saving.as_view(), "drf_refusing": Refusing.as_view()}

urlpatterns = [path(name, view) for name, view in VIEWS.items()]
