"""A site that is not local starts with its own settings or not at all; what makes no sense is refused by name."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

import auditsite.conf
import audittrail.conf
import consumers.conf
from audittrail import env
from testkit.paths import ROOT

ELSEWHERE = {
    "DATABASE_HOST": "db.example.org",
    "DJANGO_ALLOWED_HOSTS": "audit.example.org",
    "DJANGO_SECRET_KEY": "k" * auditsite.conf.SHORTEST_KEY,
    "ELASTICSEARCH_URL": "https://search.example.org",
    "KAFKA_BOOTSTRAP_SERVERS": "one.example.org:9092,two.example.org:9092",
    "REDIS_URL": "redis://redis.example.org:6379/0",
    "S3_ACCESS_KEY": "key",
    "S3_ENDPOINT_URL": "https://s3.example.org",
    "S3_SECRET_KEY": "secret",
    "SCHEMA_REGISTRY_URL": "https://registry.example.org",
}
"""What a site on other machines has to say."""


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    """A process that sets Django up with these variables and no others."""
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "auditsite.settings", **variables}
    return subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def problems_of(module) -> list[str]:
    with pytest.raises(ImproperlyConfigured) as caught:
        env.validate(module)
    return str(caught.value).splitlines()


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)


def test_a_local_site_starts_without_any():
    assert started().returncode == 0


def test_a_site_elsewhere_starts_with_its_own():
    process = started(**ELSEWHERE)
    assert process.returncode == 0, process.stderr


def test_the_first_variable_that_names_another_machine_demands_all_others_at_once():
    process = started(DJANGO_ALLOWED_HOSTS="audit.example.org")
    assert process.returncode != 0
    missing = set(ELSEWHERE) - {"DJANGO_ALLOWED_HOSTS"}
    assert {name for name in missing if f"{name}:" in process.stderr or f"{name}," in process.stderr} == missing


def test_what_makes_no_sense_ends_the_start_all_at_once():
    wrong = {
        "AUDIT_BATCH_SECONDS": "nan",
        "AUDIT_DELIVERY": "maybe",
        "AUDIT_RELAY_LANES": "0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1",
        "S3_ENDPOINT_URL": "127.0.0.1:9000",
    }
    process = started(**wrong)
    assert process.returncode != 0
    assert all(f"{name}={value!r} is not" in process.stderr for name, value in wrong.items())


def test_the_published_key_is_for_a_local_site_only(elsewhere, monkeypatch):
    monkeypatch.delenv("DJANGO_SECRET_KEY")
    assert problems_of(auditsite.conf)[0].startswith("DJANGO_SECRET_KEY: not set")


@pytest.mark.parametrize("key", ["local-only-not-a-secret", "k" * (auditsite.conf.SHORTEST_KEY - 1)])
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(elsewhere, monkeypatch, key):
    monkeypatch.setenv("DJANGO_SECRET_KEY", key)
    (problem,) = problems_of(auditsite.conf)
    assert problem.startswith("DJANGO_SECRET_KEY ") and key not in problem


def test_passwords_of_the_local_stack_are_used_nowhere_else(elsewhere):
    assert auditsite.conf.application_password() == auditsite.conf.owner_password() == ""
    assert auditsite.conf.local_servers() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_HOST", "/run/postgresql"),
        ("DATABASE_HOST", "127.0.0.7"),
        ("DJANGO_ALLOWED_HOSTS", "localhost,[::1]"),
        ("REDIS_URL", "redis://[::1]:6379/0"),
    ],
)
def test_another_port_of_this_machine_is_local(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert auditsite.conf.is_local()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_ALLOWED_HOSTS", "*"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092,broker:9092"),
        ("S3_ENDPOINT_URL", "http://10.0.0.1:9000"),
    ],
)
def test_another_machine_is_not(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert not auditsite.conf.is_local()


@pytest.mark.parametrize(("given", "missing"), [("S3_ACCESS_KEY", "S3_SECRET_KEY"), ("S3_SECRET_KEY", "S3_ACCESS_KEY")])
def test_half_of_a_pair_names_the_other_half(monkeypatch, given, missing):
    monkeypatch.setenv(given, "x")
    assert f"{given} is set and {missing} is not: they belong together. Set both, or neither." in problems_of(
        audittrail.conf
    )


def test_a_header_of_a_proxy_needs_a_trusted_proxy(monkeypatch):
    monkeypatch.setenv("DJANGO_HTTPS_HEADER", "X-Forwarded-Proto")
    assert problems_of(auditsite.conf)[0].startswith("DJANGO_HTTPS_HEADER is set and AUDIT_TRUSTED_PROXIES is not")
    monkeypatch.setenv("AUDIT_TRUSTED_PROXIES", "127.0.0.1/32")
    assert auditsite.conf.https_header() == ("HTTP_X_FORWARDED_PROTO", "https")


def test_two_roles_for_three_are_refused(monkeypatch):
    monkeypatch.setenv("DATABASE_OWNER_ROLE", audittrail.conf.application_role())
    assert problems_of(auditsite.conf)[0].startswith("DATABASE_OWNER_ROLE, ")


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (auditsite.conf, "DATABASE_PORT", "0"),
        (auditsite.conf, "DATABASE_PORT", "65536"),
        (auditsite.conf, "DJANGO_CSRF_TRUSTED_ORIGINS", "audit.example.org"),
        (auditsite.conf, "DJANGO_DEBUG", "perhaps"),
        (auditsite.conf, "DJANGO_HTTPS_HEADER", "X-Forwarded-Proto: https"),
        (auditsite.conf, "LOG_LEVEL", "LOUD"),
        (auditsite.conf, "TIME_ZONE", "Europe"),
        (auditsite.conf, "TIME_ZONE", "Mars/Olympus"),
        (audittrail.conf, "AUDIT_ARCHIVE_BUCKET", "Audit Trail"),
        (audittrail.conf, "AUDIT_EVENT_LIMIT", "-1"),
        (audittrail.conf, "AUDIT_EVENT_SOURCE", "/a newsroom"),
        (audittrail.conf, "AUDIT_PREFIX", "Über_"),
        (audittrail.conf, "AUDIT_TAIL_DAYS", "9" * 30),
        (audittrail.conf, "ELASTICSEARCH_URL", "ftp://host"),
        (audittrail.conf, "S3_ENDPOINT_URL", "http://host:99999"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(monkeypatch, module, name, value):
    monkeypatch.setenv(name, value)
    assert problems_of(module)[0].startswith(f"{name}={value!r} is not")


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e300", "soon"])
def test_seconds_are_a_number_that_passes(monkeypatch, value):
    monkeypatch.setenv("AUDIT_BATCH_SECONDS", value)
    with pytest.raises(ImproperlyConfigured, match=r"^AUDIT_BATCH_SECONDS="):
        consumers.conf.batch_seconds()


@pytest.mark.parametrize("value", ["8125", ":8125", "agent", "agent:0", "agent:99999", "one:1,two:2"])
def test_half_an_address_of_an_agent_is_refused(monkeypatch, value):
    monkeypatch.setenv("DATADOG_STATSD", value)
    with pytest.raises(ImproperlyConfigured, match=r"^DATADOG_STATSD=.* is not host:port"):
        consumers.conf.statsd_address()


def test_an_address_that_is_refused_is_shown_without_its_password(monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://elastic:s3cret@host:port")
    (problem,) = problems_of(audittrail.conf)
    assert "s3cret" not in problem and "http://host:port" in problem
