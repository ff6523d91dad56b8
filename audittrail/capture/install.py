"""Installs capture in the database whenever migrations have run, and checks that it is there."""

import hashlib
from importlib.resources import files

from django.apps import AppConfig, apps
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from audittrail import conf
from audittrail.capture import schema
from audittrail.capture.definition import defined_for
from audittrail.capture.expressions import quoted
from audittrail.tracking import all_tracked


def installation(connection: BaseDatabaseWrapper) -> str:
    """The whole SQL of capture for the models now tracked."""
    now = schema.read(connection)
    capture = defined_for(now)
    roles = (
        _static("roles.sql")
        .replace("@schema@", quoted(now.namespace))
        .replace("@application@", quoted(conf.application_role()))
        .replace("@pipeline@", quoted(conf.pipeline_role()))
    )
    types = [f"DROP TYPE IF EXISTS {quoted(each.name)} CASCADE;\n{each.creation()}" for each in capture.types]
    functions = [each.creation() for each in capture.functions]
    triggers = [each.creation() for each in capture.triggers]
    return "\n".join([_static("tables.sql"), *types, *functions, *triggers, *capture.first_versions, roles])


def install(alias: str) -> None:
    """Install or replace triggers, functions and grants, in one transaction.  Runs as the owner of the tables."""
    connection = connections[alias]
    sql = installation(connection)
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        _remove(cursor)
        # Functions call one another, in no order that could be kept.
        cursor.execute("SET LOCAL check_function_bodies = off")
        cursor.execute(sql)
        cursor.execute(f"COMMENT ON FUNCTION audit_fold_now() IS 'audit-trail {_fingerprint(sql)}'")


def install_after_migrate(sender: AppConfig, using: str, **_: object) -> None:
    """After the last app of a migrate run, when all tables are there."""
    last = [config for config in apps.get_app_configs() if config.models_module][-1]
    if sender.label == last.label and _tables_exist(using) and not is_current(using):
        install(using)


def is_current(alias: str) -> bool:
    """Whether the capture in the database is the one that this code would install."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regproc('audit_fold_now'), 'pg_proc')")
        installed: str | None = cursor.fetchone()[0]
    return installed == f"audit-trail {_fingerprint(installation(connection))}"


def _static(name: str) -> str:
    return files("audittrail.capture.sql").joinpath(name).read_text(encoding="utf-8")


def _fingerprint(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()[:16]


def _remove(cursor: CursorWrapper) -> None:
    """All functions of capture and, with them, its triggers: those of models tracked no more, and those whose shape
    changed.
    """
    cursor.execute(
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'audit\\_%'"
    )
    for (function,) in cursor.fetchall():
        cursor.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")


def _tables_exist(alias: str) -> bool:
    tables = set(connections[alias].introspection.table_names())
    needed = {"audittrail_head", *(each.model._meta.db_table for each in all_tracked())}
    return needed <= tables
