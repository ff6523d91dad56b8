"""Typed readers of environment variables: a wrong value is refused by name, never guessed at."""

import os
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def read(name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """The variable `name` parsed, or `default` where it is unset or empty.

    Raises ImproperlyConfigured, naming the variable and what it takes.
    """
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return parse(raw)
    except (ValueError, KeyError):
        raise ImproperlyConfigured(
            f"{name}={raw!r} is not {expected}. Correct it or unset it (default: {default!r})."
        ) from None


def text(name: str, default: str) -> str:
    return read(name, default, str, "a text")


def site_text(name: str) -> str:
    """The variable `name`, or what the Django setting AUDIT_DEFAULTS holds under that name.

    Raises ImproperlyConfigured if neither is given. Not for the settings module itself, which is not loaded yet.
    """
    defaults: dict[str, str] = getattr(settings, "AUDIT_DEFAULTS", {})
    if value := text(name, defaults.get(name, "")):
        return value
    raise ImproperlyConfigured(
        f"{name} is not set. Set this environment variable, or AUDIT_DEFAULTS[{name!r}] in the Django settings."
    )


def integer(name: str, default: int, minimum: int = 0) -> int:
    def parse(raw: str) -> int:
        if (value := int(raw)) < minimum:
            raise ValueError(raw)
        return value

    return read(name, default, parse, f"a whole number of at least {minimum}")


def seconds(name: str, default: float) -> float:
    def parse(raw: str) -> float:
        if (value := float(raw)) < 0:
            raise ValueError(raw)
        return value

    return read(name, default, parse, "a number of seconds, zero or more")


def truth(name: str, default: bool) -> bool:
    return read(name, default, lambda raw: _TRUTHS[raw.lower()], "one of 1, true, yes, 0, false, no")


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    def parse(raw: str) -> str:
        if raw not in choices:
            raise ValueError(raw)
        return raw

    return read(name, default, parse, "one of " + ", ".join(choices))


def listed(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """A list separated by commas."""
    return read(
        name,
        default,
        lambda raw: tuple(part.strip() for part in raw.split(",") if part.strip()),
        "a list separated by commas",
    )
