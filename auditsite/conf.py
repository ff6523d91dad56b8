"""Every setting of the site: one environment variable, one accessor, and a default.

The site is local while no variable names another machine. Only then it takes what the local stack has: its addresses,
its passwords, and the published key.
"""

import ipaddress
import zoneinfo
from collections.abc import Iterator
from typing import NoReturn
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

import stack
from audittrail import conf as audit
from audittrail import env

SERVERS = (
    "KAFKA_BOOTSTRAP_SERVERS",
    "SCHEMA_REGISTRY_URL",
    "REDIS_URL",
    "ELASTICSEARCH_URL",
    "S3_ENDPOINT_URL",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
)
"""What trail and consumers need to know of their servers, by the names of the variables."""

SHORTEST_KEY = 32
"""Characters of a secret key that nobody guesses."""

_PUBLISHED_KEY = "local-only-not-a-secret"
_PUBLISHED_MESSAGE_KEY = "local:local-only-not-a-secret-local-only"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "testserver")
_POSTGRES_PORT = 5432


def is_local() -> bool:
    """Whether all servers and hosts that variables name are this machine, by its loopback addresses."""
    return all(map(_is_loopback, _named_hosts()))


def local_servers() -> dict[str, str]:
    """The local stack's addresses and keys by the names of SERVERS; nothing where the site is not local."""
    if not is_local():
        return {}
    local = stack.addresses()
    values = (
        local.kafka_bootstrap,
        local.registry_url,
        local.redis_url,
        local.elasticsearch_url,
        local.s3_url,
        local.s3_access_key,
        local.s3_secret_key,
    )
    return dict(zip(SERVERS, values, strict=True)) | {"AUDIT_MESSAGE_KEYS": _PUBLISHED_MESSAGE_KEY}


def server(name: str) -> str:
    """What the variable, one of SERVERS, says, or what the local stack has. Raises ImproperlyConfigured."""
    return env.text(name, local_servers().get(name, "")) or _refuse_unset(name)


def all_servers() -> None:
    """Raises ImproperlyConfigured, naming what is neither set nor of the local stack."""
    unset = [name for name in SERVERS if not env.raw(name)]
    if unset and not is_local():
        _refuse_unset(", ".join(unset))


# Django


def debug() -> bool:
    """DJANGO_DEBUG: Django's DEBUG."""
    return env.truth("DJANGO_DEBUG", False)


def secret_key() -> str:
    """DJANGO_SECRET_KEY: Django's SECRET_KEY; the published one on a local site only."""
    if is_local():
        return env.text("DJANGO_SECRET_KEY", _PUBLISHED_KEY)
    key = env.text("DJANGO_SECRET_KEY", "") or _refuse_unset("DJANGO_SECRET_KEY")
    if key == _PUBLISHED_KEY or len(key) < SHORTEST_KEY:
        raise ImproperlyConfigured(
            f"DJANGO_SECRET_KEY is the published one or shorter than {SHORTEST_KEY} characters. Set one of your own, "
            'such as python -c "import secrets; print(secrets.token_urlsafe(50))" prints.'
        )
    return key


def allowed_hosts() -> list[str]:
    """DJANGO_ALLOWED_HOSTS: Django's ALLOWED_HOSTS, by commas."""
    return list(env.listed("DJANGO_ALLOWED_HOSTS", _LOCAL_HOSTS))


def csrf_trusted_origins() -> list[str]:
    """DJANGO_CSRF_TRUSTED_ORIGINS: Django's CSRF_TRUSTED_ORIGINS, by commas."""
    origins: tuple[str, ...] = env.read(
        "DJANGO_CSRF_TRUSTED_ORIGINS", (), _origins, "a list of origins like https://audit.example.org"
    )
    return list(origins)


def https_header() -> tuple[str, str] | None:
    """DJANGO_HTTPS_HEADER: the header in which a proxy says `https`, as Django's SECURE_PROXY_SSL_HEADER; none by
    default. Raises ImproperlyConfigured where no proxy is trusted.
    """
    header = env.matching("DJANGO_HTTPS_HEADER", "", r"[A-Za-z][A-Za-z-]*", "a header's name, like X-Forwarded-Proto")
    if not header:
        return None
    if not audit.trusted_proxies():
        raise ImproperlyConfigured(
            "DJANGO_HTTPS_HEADER is set and AUDIT_TRUSTED_PROXIES is not: any client could send that header. "
            "Set AUDIT_TRUSTED_PROXIES to the proxy that sets it, or unset both."
        )
    return f"HTTP_{header.upper().replace('-', '_')}", "https"


def login_failures() -> int:
    """LOGIN_FAILURES: after so many failed logins under one name from one address, the next are refused."""
    return env.integer("LOGIN_FAILURES", 10, minimum=1)


def login_pause_minutes() -> int:
    """LOGIN_PAUSE_MINUTES: for so long after the last of them."""
    return env.integer("LOGIN_PAUSE_MINUTES", 15, minimum=1)


def time_zone() -> str:
    """TIME_ZONE: the time zone in which people read and search."""
    return env.read("TIME_ZONE", "Europe/London", _time_zone, "a time zone, like Europe/London")


# Logs


def log_level() -> str:
    """LOG_LEVEL: the least severe level that is logged."""
    return env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))


def log_format() -> str:
    """LOG_FORMAT: console for people, json for programs."""
    return env.choice("LOG_FORMAT", "console", ("console", "json"))


# The database: a password that is not set is left to PostgreSQL's own ways, such as ~/.pgpass, but on a local site.


def database_name() -> str:
    """DATABASE_NAME: the database of the site and of the trail."""
    return env.text("DATABASE_NAME", "audit")


def database_host() -> str:
    """DATABASE_HOST: PostgreSQL's host. Raises ImproperlyConfigured where the site is not local and it is not set."""
    if is_local():
        return env.text("DATABASE_HOST", stack.addresses().postgres[0])
    return env.text("DATABASE_HOST", "") or _refuse_unset("DATABASE_HOST")


def database_port() -> int:
    """DATABASE_PORT: PostgreSQL's port."""
    default = stack.addresses().postgres[1] if is_local() else _POSTGRES_PORT
    return env.integer("DATABASE_PORT", default, minimum=1, maximum=65_535)


def owner_role() -> str:
    """DATABASE_OWNER_ROLE: the role that owns the tables and migrates. Raises ImproperlyConfigured unless the three
    roles differ.
    """
    owner = env.text("DATABASE_OWNER_ROLE", "audit_owner")
    if len({owner, audit.application_role(), audit.pipeline_role()}) < 3:
        raise ImproperlyConfigured(
            "DATABASE_OWNER_ROLE, DATABASE_APPLICATION_ROLE and DATABASE_PIPELINE_ROLE are not three roles: "
            "one of them would have the rights of another. Give each a role of its own."
        )
    return owner


def application_password() -> str:
    """DATABASE_APPLICATION_PASSWORD: of the role of the site."""
    return _password("DATABASE_APPLICATION_PASSWORD", "audit_app")


def pipeline_password() -> str:
    """DATABASE_PIPELINE_PASSWORD: of the role of relay and sinks."""
    return _password("DATABASE_PIPELINE_PASSWORD", "audit_pipeline")


def owner_password() -> str:
    """DATABASE_OWNER_PASSWORD: of the role that migrates."""
    return _password("DATABASE_OWNER_PASSWORD", "audit_owner")


def _password(name: str, of_the_stack: str) -> str:
    return env.text(name, of_the_stack if is_local() else "")


def _refuse_unset(names: str) -> NoReturn:
    raise ImproperlyConfigured(
        f"{names}: not set. This site is not local, as variables name other machines: "
        f"{', '.join(sorted({host for host in _named_hosts() if not _is_loopback(host)}))}. Set it."
    )


def _named_hosts() -> Iterator[str]:
    """The hosts that variables name. An address that is none names none: its accessor refuses it."""
    for name in SERVERS:
        if name.endswith("_URL") and (host := _host_of(env.raw(name))):
            yield host
    for broker in filter(None, map(str.strip, env.raw("KAFKA_BOOTSTRAP_SERVERS").split(","))):
        yield broker.rpartition(":")[0] or broker
    yield from filter(None, (env.raw("DATABASE_HOST"),))
    yield from allowed_hosts()


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    if host in _LOCAL_HOSTS or host.startswith("/"):  # a folder: PostgreSQL's socket
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _origins(written: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in written.split(",") if part.strip())
    if any(urlsplit(origin).scheme not in ("http", "https") or not urlsplit(origin).netloc for origin in origins):
        raise ValueError(written)
    return origins


def _time_zone(written: str) -> str:
    try:
        return zoneinfo.ZoneInfo(written).key
    except OSError:  # a folder of zones
        raise ValueError(written) from None
