"""Capture among Django's system checks: `manage.py check --database default`."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, router

from audittrail.capture.inspection import inspect, place_of


@register(Tags.database)
def capture_is_on(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: object
) -> list[CheckMessage]:
    """An error for all that is wrong, once for each database."""
    chosen = {place_of(connections[alias]): alias for alias in databases or () if _holds_the_trail(alias)}
    problems = {problem for alias in chosen.values() for problem in inspect(alias).problems}
    return [Error(str(each), hint=each.remedy, id=each.code) for each in sorted(problems, key=str)]


def _holds_the_trail(alias: str) -> bool:
    return connections[alias].vendor == "postgresql" and bool(router.allow_migrate(alias, "audittrail"))
