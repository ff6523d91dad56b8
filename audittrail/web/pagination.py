"""Pages of lists in the programming interface."""

import re

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class CheckedPages(CursorPagination):
    """Cursor pages that refuse a size or a cursor that makes no sense, by name, instead of passing over it."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "size"
    parameters = (page_size_query_param, CursorPagination.cursor_query_param)
    """What a view with such pages takes by itself."""
    position = r"[^\x00]+"

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("size", str(self.page_size))
        if not re.fullmatch(r"[0-9]{1,3}", asked, re.ASCII) or not 1 <= int(asked) <= self.max_page_size:
            raise ValidationError({"detail": f"size: {asked[:40]!r} is not a number from 1 to {self.max_page_size}."})
        return int(asked)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            raise _foreign_cursor() from None
        if cursor and cursor.position is not None and not re.fullmatch(self.position, str(cursor.position), re.ASCII):
            raise _foreign_cursor()
        return cursor


def _foreign_cursor() -> ValidationError:
    return ValidationError({"detail": "cursor: this is not one of this list; leave it out to start at the beginning."})
