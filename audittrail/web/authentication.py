"""Who calls the programming interface, by name and password."""

from typing import Any

from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

_LONGEST = 1_000
"""Characters of a name or a password: more are no login, and would only cost time to hash."""


class CheckedBasicAuthentication(BasicAuthentication):
    """HTTP Basic; a name or a password that no user can have is refused before the database is asked."""

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> Any:
        """As of Django REST framework. Raises AuthenticationFailed."""
        if "\0" in userid + password or max(len(userid), len(password)) > _LONGEST:
            raise AuthenticationFailed("Invalid username/password.")
        # Backends that count failures note on Django's request that somebody is locked out.
        return super().authenticate_credentials(userid, password, getattr(request, "_request", request))
