"""What is set up wrongly, among Django's system checks: settings by `manage.py check`, capture by
`manage.py check --database default`.
"""

from collections.abc import Iterator, Sequence

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.utils.module_loading import import_string

from audittrail import conf
from audittrail.capture.inspection import inspect, place_of

MIDDLEWARE = "audittrail.capture.middleware.AuditContextMiddleware"


@register
def settings_fit(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """An error for each setting of the site that cannot work, a warning for each that may be left out on purpose."""
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":  # a site that is not set up yet
        return []
    errors, warnings = [*_wrong_databases(), *_wrong_names()], _missing_parts()
    return [
        *(Error(text, hint=hint, id=f"audittrail.E{number:03}") for number, text, hint in errors),
        *(Warning(text, hint=hint, id=f"audittrail.W{number:03}") for number, text, hint in warnings),
    ]


def _wrong_databases() -> Iterator[tuple[int, str, str]]:
    roles = {alias: str(database.get("USER", "")) for alias, database in settings.DATABASES.items()}
    for alias in ("default", "pipeline", "owner"):
        if alias not in roles:
            yield 10, f"DATABASES has no {alias!r}", "Add it: the same database, as the role that its name says."
    if apps.is_installed("audittrail.testing"):  # where the owner makes and fills the database of tests
        return
    expected = {
        "default": ("DATABASE_APPLICATION_ROLE", conf.application_role()),
        "pipeline": ("DATABASE_PIPELINE_ROLE", conf.pipeline_role()),
    }
    for alias, (variable, role) in expected.items():
        if roles.get(alias, role) not in ("", role):
            text = f"DATABASES[{alias!r}] connects as {roles[alias]!r}, and rights are given to {role!r}"
            yield 11, text, f"Set the environment variable {variable} to {roles[alias]!r}, or correct DATABASES."
    if roles.get("owner") and roles["owner"] in (roles.get("default"), roles.get("pipeline")):
        text = f"DATABASES: the site or the pipeline connects as the owner, {roles['owner']!r}"
        yield 12, text, "Use three roles: what the owner may, nothing keeps from changing the trail."


def _missing_parts() -> Iterator[tuple[int, str, str]]:
    if "audit" not in settings.STORAGES:
        hint = 'Add {"BACKEND": "audittrail.archive.object_storage.ArchiveStorage"}.'
        yield 1, "STORAGES has no 'audit', where the archive and large events go", hint
    if not hasattr(settings, "ELASTICSEARCH_DSL"):
        yield 2, "ELASTICSEARCH_DSL is not set", 'Set it, as in {"default": {"hosts": "https://search.example.org"}}.'
    if MIDDLEWARE not in settings.MIDDLEWARE:
        yield 3, f"MIDDLEWARE lacks {MIDDLEWARE}: what the web changes is by nobody", "Add it behind authentication."


def _wrong_names() -> Iterator[tuple[int, str, str]]:
    path = getattr(settings, "AUDIT_ACTOR_OF_USER", None)
    try:
        if path:
            import_string(path)
    except ImportError as error:
        yield 13, f"AUDIT_ACTOR_OF_USER={path!r} cannot be imported: {error}", "Correct the path of the function."


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
