"""Live articles against their capture heads: what was changed while triggers were off."""

from collections.abc import Iterator

from django.db import DEFAULT_DB_ALIAS, connections

from audittrail.capture.expressions import quoted
from audittrail.integrity.findings import Finding
from audittrail.tracking import Tracked, all_tracked

_BATCH = 1000


def live(article_id: str | None = None, using: str = DEFAULT_DB_ALIAS) -> Iterator[Finding]:
    """A finding for each article, or for one, that differs from its head, in the transaction of the caller."""
    for tracked in all_tracked():
        if article_id is None or article_id.startswith(f"{tracked.kind}:"):
            yield from _of_kind(tracked, article_id, using)


def _of_kind(tracked: Tracked, article_id: str | None, using: str) -> Iterator[Finding]:
    """Articles of a kind, live or captured, that differ from their heads."""
    meta = tracked.model._meta
    live = f"SELECT {quoted(str(meta.pk.column))}::text AS pk FROM {quoted(meta.db_table)}"  # noqa: S608  quoted
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT pk FROM ({live} "  # noqa: S608  quoted above
            "UNION SELECT object_pk FROM audittrail_head WHERE kind = %s AND alive) every "
            "WHERE %s::text IS NULL OR %s || ':' || pk = %s",
            [tracked.kind, article_id, tracked.kind, article_id],
        )
        while rows := cursor.fetchmany(_BATCH):
            yield from _differing(tracked.kind, [pk for (pk,) in rows], using)


def _differing(kind: str, pks: list[str], using: str) -> Iterator[Finding]:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT article_id, fields FROM audit_drift(%s, %s)", [kind, pks])
        for article_id, fields in cursor.fetchall():
            detail = (
                "it was never captured, or is gone without an event"
                if fields == ["*"]
                else "changed: " + ", ".join(fields)
            )
            yield Finding("capture", "live_differs", article_id, 0, detail)
