"""Typed readers of environment variables: a wrong value is refused by name, never guessed at."""

import inspect
import math
import os
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from audittrail.env.addresses import without_credentials

T = TypeVar("T")

LARGEST = 2**31 - 1
"""The largest number that servers and their clients take."""

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})", re.ASCII)


class NotSet(ImproperlyConfigured):
    """A variable that has no default is not set. What never asks for it goes without."""


def raw(name: str) -> str:
    """The variable as it is written, empty where it is unset."""
    return os.environ.get(name, "").strip()


def read(name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    """The variable `name` parsed, or `default` where it is unset or empty.

    Raises ImproperlyConfigured, naming the variable and what it takes.
    """
    written = raw(name)
    if not written:
        return default
    try:
        return parse(written)
    except (ValueError, KeyError, OverflowError):
        problem = f"{name}={written!r} is not {expected}. Correct it or unset it (default: {default!r})."
        raise ImproperlyConfigured(without_credentials(problem)) from None


def validate(*modules: ModuleType) -> None:
    """Ask every accessor of these modules once: each function of theirs that takes nothing.

    Raises ImproperlyConfigured for all that is wrong, a line each. What is merely not set is left to who needs it.
    """
    problems = dict.fromkeys(problem for module in modules for problem in _problems(module))
    if problems:
        raise ImproperlyConfigured("\n".join(problems))


def _problems(module: ModuleType) -> Iterator[str]:
    for name, accessor in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("_") or accessor.__module__ != module.__name__ or inspect.signature(accessor).parameters:
            continue
        try:
            accessor()
        except NotSet:
            continue
        except ImproperlyConfigured as problem:
            yield str(problem)


def text(name: str, default: str) -> str:
    return read(name, default, str, "a text")


def matching(name: str, default: str, pattern: str, expected: str) -> str:
    """A text that a pattern matches whole."""

    def parse(written: str) -> str:
        if not re.fullmatch(pattern, written, re.ASCII):
            raise ValueError(written)
        return written

    return read(name, default, parse, expected)


def site_default(name: str) -> str:
    """What the Django setting AUDIT_DEFAULTS holds under a variable's name; empty where it holds nothing.

    Not for the settings module itself, which is not loaded yet.
    """
    defaults: dict[str, str] = getattr(settings, "AUDIT_DEFAULTS", {})
    return defaults.get(name, "")


def demanded(name: str, value: str) -> str:
    """The value of a variable or of its default. Raises NotSet if there is neither."""
    if value:
        return value
    raise NotSet(
        f"{name} is not set. Set this environment variable, or AUDIT_DEFAULTS[{name!r}] in the Django settings."
    )


def site_url(name: str, *schemes: str) -> str:
    """The address of a server, of one of these schemes, or the site's default. Raises NotSet if there is neither."""
    return demanded(name, url(name, site_default(name), *schemes))


def site_servers(name: str) -> str:
    """`host:port` of some servers, by commas, or the site's default. Raises NotSet if there is neither."""
    return demanded(name, servers(name, site_default(name)))


def site_half(name: str, other: str) -> str:
    """One of two variables that are given together, or the site's default where neither is.

    Raises ImproperlyConfigured where only the other is given, NotSet if there is no default either.
    """
    if raw(other) and not raw(name):
        raise ImproperlyConfigured(f"{other} is set and {name} is not: they belong together. Set both, or neither.")
    return site_text(name)


def site_text(name: str) -> str:
    """A text, or the site's default. Raises NotSet if there is neither."""
    return demanded(name, text(name, site_default(name)))


def url(name: str, default: str, *schemes: str) -> str:
    def parse(written: str) -> str:
        parts = urlsplit(written)
        if parts.scheme not in schemes or not parts.hostname or parts.port == 0 or re.search(r"\s", written):
            raise ValueError(written)
        return written

    return read(name, default, parse, "an address like " + " or ".join(f"{scheme}://host:port" for scheme in schemes))


def server(name: str, default: str) -> str:
    return read(name, default, _server, "host:port")


def servers(name: str, default: str) -> str:
    def parse(written: str) -> str:
        return ",".join(_server(each.strip()) for each in written.split(","))

    return read(name, default, parse, "host:port, or several of them separated by commas")


def _server(written: str) -> str:
    found = _HOST_AND_PORT.fullmatch(written)
    if not found or not 0 < int(found[1]) < 65536:
        raise ValueError(written)
    return written


def integer(name: str, default: int, minimum: int = 0, maximum: int = LARGEST) -> int:
    def parse(written: str) -> int:
        if not minimum <= (value := int(written)) <= maximum:
            raise ValueError(written)
        return value

    return read(name, default, parse, f"a whole number from {minimum} to {maximum}")


def seconds(name: str, default: float, minimum: float = 0) -> float:
    def parse(written: str) -> float:
        if not math.isfinite(value := float(written)) or not minimum <= value <= LARGEST / 1000:
            raise ValueError(written)
        return value

    return read(name, default, parse, f"a number of seconds from {minimum} to {LARGEST // 1000}")


def share(name: str, default: float) -> float:
    """The variable as a share of a whole."""

    def parse(written: str) -> float:
        if not 0 <= (found := float(written)) <= 1:
            raise ValueError(written)
        return found

    return read(name, default, parse, "a number from 0 to 1")


def truth(name: str, default: bool) -> bool:
    return read(name, default, lambda written: _TRUTHS[written.lower()], "one of 1, true, yes, 0, false, no")


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    def parse(written: str) -> str:
        if written not in choices:
            raise ValueError(written)
        return written

    return read(name, default, parse, "one of " + ", ".join(choices))


def listed(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """A list separated by commas."""
    return read(
        name,
        default,
        lambda written: tuple(part.strip() for part in written.split(",") if part.strip()),
        "a list separated by commas",
    )
