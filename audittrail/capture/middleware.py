"""Gives every request that may change something its context."""

import ipaddress
import uuid
from functools import cache

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from audittrail import conf
from audittrail.capture.context import UNKNOWN, Actor, context

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LIMIT = 500


class AuditContextMiddleware:
    """Runs unsafe requests in one transaction, stamped with who sent them from where.

    X-Forwarded-For is believed from trusted proxies only (AUDIT_TRUSTED_PROXIES); X-Request-ID, X-Correlation-ID and
    traceparent are taken as sent, cut to 500 characters.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.audit_request_id = _header(request, "X-Request-ID") or uuid.uuid4().hex
        if request.method in _SAFE:
            return self.get_response(request)
        with context(
            actor=actor_of(request.user),
            request_id=request.audit_request_id,
            correlation_id=_header(request, "X-Correlation-ID"),
            ip=client_ip(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", "")),
            user_agent=_header(request, "User-Agent"),
            channel="api" if request.path.startswith("/api/") else "web",
            traceparent=_header(request, "traceparent"),
        ):
            return self.get_response(request)

    def process_exception(self, request, exception) -> None:
        """A view that failed leaves nothing behind, as under ATOMIC_REQUESTS."""
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)


def actor_of(user) -> Actor:
    """The actor behind a logged-in user; AUDIT_ACTOR_OF_USER names a function that knows better."""
    if not user.is_authenticated:
        return UNKNOWN
    return _resolver()(user)


def client_ip(peer: str, forwarded_for: str) -> str | None:
    """The address nearest to the client that can be believed: hops are read from the right while they are trusted
    proxies.
    """
    address = _address(peer)
    for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
        if address is None or not any(address in network for network in _trusted_networks()):
            break
        address = _address(hop) or address
    return str(address) if address else None


def _address(text: str):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@cache
def _trusted_networks():
    return tuple(ipaddress.ip_network(each, strict=False) for each in conf.trusted_proxies())


@cache
def _resolver():
    path = getattr(settings, "AUDIT_ACTOR_OF_USER", None)
    return import_string(path) if path else lambda user: Actor("user", f"{user._meta.label_lower}:{user.pk}")


def _header(request, name: str) -> str | None:
    value = request.headers.get(name, "").replace("\x00", "").strip()
    return value[:_LIMIT] or None
