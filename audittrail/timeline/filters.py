"""What part of a history is asked for: every filter is a parameter of the URL."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, time
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from audittrail.models import AuditEvent

_TEXTS_OF_A_CHANGE = ("$[*].before", "$[*].after", "$[*].edits[*].removed", "$[*].edits[*].inserted")
_LONGEST = 200


class BadFilter(ValueError):
    """A filter that cannot be understood: ``parameter`` names it, the message says what it takes."""

    def __init__(self, parameter: str, message: str):
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """Which events of an article to show; empty means all. Times are aware datetimes, ``until`` is exclusive."""

    actor: str = ""
    action: str = ""
    field: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Filters":
        """The filters in a mapping of URL parameters. Raises BadFilter."""
        words = {name: _word(query, name) for name in ("actor", "action", "field", "text")}
        return cls(**words, since=_time(query, "since"), until=_time(query, "until"))

    def __bool__(self) -> bool:
        return any(dataclasses.astuple(self))

    @property
    def count(self) -> int:
        return sum(bool(value) for value in dataclasses.astuple(self))

    def apply(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """Those of the events that pass."""
        if self.actor:
            events = events.filter(Q(actor_id=self.actor) | Q(actor_name__iexact=self.actor))
        if self.action:
            events = events.filter(action=self.action)
        if self.field:
            events = events.filter(changes__contains=[{"field": self.field}])
        if self.since:
            events = events.filter(occurred_at__gte=self.since)
        if self.until:
            events = events.filter(occurred_at__lt=self.until)
        return events.filter(_mentions(self.text)) if self.text else events

    def without_times(self) -> "Filters":
        return dataclasses.replace(self, since=None, until=None)

    def query(self, **more: str | int | None) -> str:
        """The URL's query string of these filters, with more parameters where given."""
        return urlencode(self.parameters() | {name: value for name, value in more.items() if value is not None})

    def parameters(self) -> dict[str, str]:
        """The parameters that are set, as texts of the URL."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _written(value) for name, value in values.items() if value}


def _written(value: str | datetime) -> str:
    return timezone.localtime(value).isoformat() if isinstance(value, datetime) else value


def _word(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "").strip()
    if "\x00" in value:
        raise BadFilter(name, "has a NUL character; remove it.")
    if len(value) > _LONGEST:
        raise BadFilter(name, f"is longer than {_LONGEST} characters; shorten it.")
    return value


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    raw = query.get(name, "").strip()
    if not raw:
        return None
    try:
        moment = parse_datetime(raw) or _midnight(raw)
        aware = timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment
        return aware and timezone.localtime(aware)
    except (ValueError, OverflowError):
        raise BadFilter(name, f"{raw[:40]!r} is not a date or time; write it like 2026-11-23T11:41.") from None


def _midnight(raw: str) -> datetime:
    day = parse_date(raw)
    if day is None:
        raise ValueError(raw)
    return datetime.combine(day, time.min)


def _mentions(text: str) -> Q:
    """Changes that took out or put in these characters, whatever their case, or a title that has them."""
    pattern = json.dumps(text, ensure_ascii=False)
    paths = [f'{path} ? (@ like_regex {pattern} flag "iq")' for path in _TEXTS_OF_A_CHANGE]
    found = " OR ".join(["jsonb_path_exists(changes, %s::jsonpath)"] * len(paths))
    mentioned = RawSQL(found, paths, output_field=BooleanField())  # noqa: S611 - the text is a parameter
    return Q(title__icontains=text) | Q(mentioned)
