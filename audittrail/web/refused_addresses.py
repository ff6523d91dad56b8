"""Refuses addresses that no page can answer, before anything asks the database."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase


class RefuseNulMiddleware:
    """An address with a NUL character, which no text of PostgreSQL can hold, is a 400; wherever it is among the
    middlewares.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (place := _place_of_nul(request)) is not None:
            return HttpResponseBadRequest(f"{place}: has a NUL character (%00). Leave it out.", "text/plain")
        return self.get_response(request)


def _place_of_nul(request: HttpRequest) -> str | None:
    """The name of the first parameter that has one, or `address`."""
    if "\0" in request.path:
        return "address"
    query = request.META.get("QUERY_STRING", "")
    if "%00" not in query and "\0" not in query:
        return None
    parameters = parse_qsl(query, keep_blank_values=True)
    return next((name for name, value in parameters if "\0" in value and "\0" not in name), "address")
