"""The language of the search box: `actor:kim action:published removed:"two words" -section:sport budget`.

Words and "quoted phrases" must all be found; `-` in front excludes; `name:` in front looks in one place only; `*` at
the end of a word stands for any ending. Parsing never fails: what is not understood is left out and said in a message.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

ACTIONS = ("created", "edited", "status_changed", "published", "unpublished", "deleted", "saved")

QUALIFIERS = {
    "actor": "name, byline or identity of who did it",
    "action": ", ".join(ACTIONS),
    "article": "identity or title of the article",
    "kind": "kind of article, e.g. newsroom.article",
    "title": "words of the article's title after the change",
    "status": "status after the change",
    "section": "section of the article after the change",
    "field": "a field that changed",
    "inserted": "text put in",
    "removed": "text taken out",
    "from": "value before (scalars, tags, credits)",
    "to": "value after (scalars, tags, credits)",
    "channel": "where the change came from, e.g. admin, import",
    "desk": "desk of the actor at the time",
    "role": "role of the actor at the time",
    "ip": "address, or network such as 10.0.0.0/8",
    "request": "request id",
    "correlation": "correlation id of a bulk action",
    "before": "before this day or moment, e.g. 2026-01-31 or 2026-01-31T09:30",
    "after": "on or after this day or moment",
    "on": "on this day",
}
"""What can stand before a colon, and what it looks for."""

TERM_LIMIT = 32
VALUE_LIMIT = 500

_MOMENTS = ("before", "after", "on")
_TOKEN = re.compile(
    r"""(?P<minus>-)?(?:(?P<field>[A-Za-z_]+):(?!//))?(?:"(?P<phrase>[^"]*)(?:"|$)|(?P<word>[^\s"]+))?"""
)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `field`: a qualifier, or None for anywhere; `prefix`: any ending of the last word."""

    field: str | None
    value: str
    negated: bool = False
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """A condition on when it was done: start (included) and end (excluded), either may be open."""

    start: datetime | None
    end: datetime | None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search: all conditions hold; `messages` say what was left out, and why."""

    terms: tuple[Term, ...] = ()
    periods: tuple[Period, ...] = ()
    messages: tuple[str, ...] = ()


class _NotUnderstood(ValueError):
    pass


def parse(text: str) -> Query:
    """The query in any text whatever; dates without a zone are in Django's current time zone."""
    terms: list[Term] = []
    periods: list[Period] = []
    messages: list[str] = []
    for token in filter(lambda token: token[0], _TOKEN.finditer(_clean(text))):
        try:
            condition = _condition(token)
        except _NotUnderstood as problem:
            messages.append(str(problem))
            continue
        if isinstance(condition, Period):
            periods.append(condition)
        elif condition:
            terms.append(condition)
    if len(terms) > TERM_LIMIT:
        messages.append(f"Only the first {TERM_LIMIT} words are searched: put a passage in quotation marks.")
    return Query(tuple(terms[:TERM_LIMIT]), tuple(periods[:TERM_LIMIT]), tuple(dict.fromkeys(messages)))


def _clean(text: str) -> str:
    """Without what no text of an article can hold: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "ignore").decode().replace("\0", " ")


def _condition(token: re.Match[str]) -> Term | Period | None:
    field, negated = token["field"] and token["field"].lower(), bool(token["minus"])
    value = " ".join((token["phrase"] or token["word"] or "").split())[:VALUE_LIMIT]
    if field is not None and field not in QUALIFIERS:
        raise _NotUnderstood(f"“{field}:” is not known and was left out. Known: {', '.join(QUALIFIERS)}.")
    if not value:
        if field:
            raise _NotUnderstood(f"“{field}:” needs a value right after the colon ({QUALIFIERS[field]}).")
        return None
    if field in _MOMENTS:
        return _period(field, value, negated)
    if field == "action":
        return Term(field, _action(value), negated)
    if field == "ip":
        return Term(field, _network(value), negated)
    prefix = token["word"] is not None and len(value) > 1 and value.endswith("*")
    return Term(field, value.rstrip("*") or value, negated, prefix)


def _action(value: str) -> str:
    action = value.lower().replace(" ", "_").replace("-", "_")
    if action not in ACTIONS:
        raise _NotUnderstood(f"“action:{value}” is not an action and was left out. Known: {', '.join(ACTIONS)}.")
    return action


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise _NotUnderstood(
            f"“ip:{value}” is not an address and was left out. Write it as 192.0.2.7 or 192.0.2.0/24."
        ) from None


def _period(field: str, value: str, negated: bool) -> Period:
    start, end = _span(field, value)
    if field == "before":
        return Period(None, start, negated)
    return Period(start, None if field == "after" else end, negated)


def _span(field: str, value: str) -> tuple[datetime, datetime]:
    """Start and end of the day, or of the minute, that `value` names."""
    zone = timezone.get_current_timezone()
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            day = date.fromisoformat(value)
            return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)
        if not re.match(r"\d{4}-\d\d-\d\d[T ]", value):
            raise ValueError(value)
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        moment.astimezone(UTC)
        return moment, moment + timedelta(minutes=1)
    except (ValueError, OverflowError):
        raise _NotUnderstood(
            f"“{field}:{value}” is not a date and was left out. Write it as 2026-01-31 or 2026-01-31T09:30."
        ) from None
