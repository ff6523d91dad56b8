"""Which kinds of article a reader of the trail may see: `view_permission` of `track` names what it needs besides."""

from typing import Protocol, TypeVar

from django.db.models import QuerySet
from django.http import Http404

from audittrail import tracking
from audittrail.models import AuditEvent, Head

Row = TypeVar("Row", AuditEvent, Head)


class Reader(Protocol):
    """Who is logged in, or nobody."""

    def has_perm(self, perm: str, /) -> bool: ...


def hidden_kinds(reader: Reader) -> list[str]:
    """Kinds whose permission the reader lacks."""
    return [each.kind for each in tracking.all_tracked() if not _may_view(reader, each)]


def listed_on_request(reader: Reader) -> dict[str, str]:
    """Kinds that need a permission which the reader has, with their names for people."""
    return {
        each.kind: str(each.model._meta.verbose_name_plural)
        for each in tracking.all_tracked()
        if each.view_permission and _may_view(reader, each)
    }


def readable(reader: Reader, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of the rows whose kind the reader may see."""
    return rows.exclude(kind__in=hidden_kinds(reader))


def require_readable(reader: Reader, article_id: object) -> None:
    """Raises Http404, as for an article that does not exist, where the reader may not see its kind."""
    if any(str(article_id).startswith(f"{kind}:") for kind in hidden_kinds(reader)):
        raise Http404("No such article.")


def _may_view(reader: Reader, tracked: tracking.Tracked) -> bool:
    return tracked.view_permission is None or reader.has_perm(tracked.view_permission)
