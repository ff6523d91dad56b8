"""Gives every request that may change something its context."""

import uuid
from collections.abc import Callable
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from audittrail import conf
from audittrail.capture.client_address import client_ip
from audittrail.capture.context import UNKNOWN, Actor, context

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LIMIT = 500


class AuditContextMiddleware:
    """Runs unsafe requests in one transaction, stamped with who sent them from where.  A response that reports failure
    (status 400 and above) rolls it back, whether a view, DRF or a middleware within made it.

    X-Forwarded-For and Forwarded are believed from trusted proxies only (AUDIT_TRUSTED_PROXIES); X-Request-ID,
    X-Correlation-ID and traceparent are taken as sent, cut to 500 characters.

    Raises ImproperlyConfigured, when the site starts, for a wrong AUDIT_TRUSTED_PROXIES.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.trusted_proxies = conf.trusted_proxies()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = _header(request, "X-Request-ID") or uuid.uuid4().hex
        request.audit_request_id = request_id  # type: ignore[attr-defined]  # for the site: see docs/plugging-in.md
        if request.method in _SAFE:
            return self.get_response(request)
        with context(
            actor=actor_of(request.user),
            request_id=request_id,
            correlation_id=_header(request, "X-Correlation-ID"),
            ip=self._client_ip(request),
            user_agent=_header(request, "User-Agent"),
            channel="api" if request.path.startswith("/api/") else "web",
            traceparent=_header(request, "traceparent"),
        ):
            response = self.get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                transaction.set_rollback(True)
            return response

    def _client_ip(self, request: HttpRequest) -> str | None:
        return client_ip(
            request.META.get("REMOTE_ADDR", ""),
            request.headers.get("X-Forwarded-For", ""),
            self.trusted_proxies,
            request.headers.get("Forwarded", ""),
        )

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A view that failed leaves nothing behind, as under ATOMIC_REQUESTS."""
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """The actor behind a logged-in user; AUDIT_ACTOR_OF_USER names a function that knows better."""
    if isinstance(user, AnonymousUser) or not user.is_authenticated:
        return UNKNOWN
    return _resolver()(user)


@cache
def _resolver() -> Callable[[AbstractBaseUser], Actor]:
    path: str | None = getattr(settings, "AUDIT_ACTOR_OF_USER", None)
    resolver: Callable[[AbstractBaseUser], Actor] = import_string(path) if path else _account
    return resolver


def _account(user: AbstractBaseUser) -> Actor:
    return Actor("user", f"{user._meta.label_lower}:{user.pk}")


def _header(request: HttpRequest, name: str) -> str | None:
    value = request.headers.get(name, "").replace("\x00", "").strip()
    return value[:_LIMIT] or None
