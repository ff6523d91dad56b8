"""What happens to somebody who fails to log in too often.

Failures are counted by a connection of their own: what a refused request has changed is rolled back.
"""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse, JsonResponse

from auditsite import conf
from audittrail import conf as audit
from audittrail.capture.client_address import client_ip_of

DATABASE = "logins"
TOO_MANY_REQUESTS = 429


class FailuresRouter:
    """A database router: what is counted of logins goes by a connection of its own to the site's database."""

    def db_for_read(self, model: type[Model], **_: object) -> str | None:
        return DATABASE if model._meta.app_label == "axes" else None

    db_for_write = db_for_read


def client_address(request: HttpRequest) -> str | None:
    """The address that failures are counted for: the one that the trail records."""
    return client_ip_of(request, audit.trusted_proxies())


def locked_out(request: HttpRequest, credentials: dict[str, Any] | None = None, *_: object) -> HttpResponse:
    """The answer to a login after too many failures: a page, or JSON for programs."""
    minutes = conf.login_pause_minutes()
    words = (
        f"Too many failed logins under this name from this address. Wait {minutes} minutes after the last one, "
        "or ask a superuser to delete its entry among the access attempts in the admin."
    )
    headers = {"Retry-After": str(minutes * 60)}
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": words}, status=TOO_MANY_REQUESTS, headers=headers)
    return HttpResponse(words, "text/plain", status=TOO_MANY_REQUESTS, headers=headers)
