"""Parts of events as words for people: names of fields and states, values, who acted, how long ago."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from audittrail.models import AuditEvent


def as_words(name: str) -> str:
    """A field's or state's identifier as words: `in_review` → in review."""
    return name.replace("_", " ")


def field_names(names: Iterable[str]) -> SafeString:
    """Names of fields in bold, separated by commas."""
    return format_html_join(", ", "<b>{}</b>", ((as_words(name),) for name in names))


def scalar_as_words(value: str | None, labels: dict[str, str] | None = None) -> str:
    """A scalar as a person reads it: its name where it has one; what a masked field held is not shown."""
    if value is None or value == "":
        return ""
    if value.startswith("masked:"):
        return "(masked)"
    return (labels or {}).get(value, value)


def actor_name(event: AuditEvent) -> str:
    """Who acted, by the name they had then."""
    if event.actor_name:
        return event.actor_name
    return {"system": "The system", "service": event.actor_id or "A service", "user": event.actor_id or "A user"}.get(
        event.actor_type, "Someone unknown"
    )


def actor_role_and_desk(event: AuditEvent) -> str:
    """The actor's role and desk at the time."""
    return ", ".join(filter(None, (as_words(event.actor_role), event.actor_desk)))


def actor_initials(event: AuditEvent) -> str:
    """The initials of the actor's first and last name."""
    parts = [part for part in actor_name(event).split() if part[0].isalnum()]
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper() or "?"


def time_ago(moment: datetime) -> str:
    """How long ago, in its largest unit only."""
    passed = timesince(moment, depth=1)
    return "just now" if passed.startswith("0") else f"{passed} ago"
