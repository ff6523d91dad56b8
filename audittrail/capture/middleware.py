"""Gives every request its context."""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from audittrail import conf
from audittrail.capture.acting import UNKNOWN, Actor, Context, Origin, acting
from audittrail.capture.client_address import client_ip_of
from audittrail.capture.context import announce_after_commit
from audittrail.capture.streaming import keep_context

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LIMIT = 500


class AuditContextMiddleware:
    """Changes made while a request is answered belong to who sent it, from where; who that is, is asked when a change
    is made, so that DRF's authentication and middlewares within count.

    The view of an unsafe request runs in one transaction, unless it is marked `non_atomic_requests`.  A response that
    reports failure (status 400 and above) rolls it back, whether a view, DRF or a middleware within made it.

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
        source = _RequestContext(request, self._origin(request, request_id))
        with acting(source), _ViewTransaction() as view_transaction:
            request.audit_transaction = view_transaction  # type: ignore[attr-defined]  # for process_view
            response = self.get_response(request)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                view_transaction.roll_back()
        keep_context(response, source)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        """Begin the view's transaction, as ATOMIC_REQUESTS would."""
        if request.method in _SAFE or DEFAULT_DB_ALIAS in getattr(view, "_non_atomic_requests", ()):
            return
        request.audit_transaction.begin()  # type: ignore[attr-defined]

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """A view that failed leaves nothing behind, as under ATOMIC_REQUESTS."""
        request.audit_transaction.roll_back()  # type: ignore[attr-defined]

    def _origin(self, request: HttpRequest, request_id: str) -> Origin:
        return Origin(
            request_id=request_id,
            correlation_id=_header(request, "X-Correlation-ID"),
            ip=client_ip_of(request, self.trusted_proxies),
            user_agent=_header(request, "User-Agent"),
            channel="api" if request.path.startswith("/api/") else "web",
            traceparent=_header(request, "traceparent"),
        )


class _ViewTransaction(ExitStack):
    """The transaction of a request's view, if it has one."""

    _is_open = False

    def begin(self) -> None:
        self.enter_context(transaction.atomic())
        announce_after_commit()
        self._is_open = True

    def roll_back(self) -> None:
        """Leave nothing behind, when it ends."""
        if self._is_open and transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)


class _RequestContext:
    """The context of a request, by its user as of now.  Who that is may be asked of the database: what is sent for it
    belongs to nobody.
    """

    def __init__(self, request: HttpRequest, origin: Origin):
        self._request, self._origin = request, origin
        self._user: object = self
        self._context: Context | None = None

    def __call__(self) -> Context | None:
        if _is_asking.get():
            return None
        token = _is_asking.set(True)
        try:
            user = getattr(self._request, "user", None)
            if self._context is None or user is not self._user:
                self._context = Context(actor_of(user) if user else UNKNOWN, self._origin)
                self._user = user
        finally:
            _is_asking.reset(token)
        return self._context


_is_asking: ContextVar[bool] = ContextVar("audit_user_is_asked", default=False)


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
