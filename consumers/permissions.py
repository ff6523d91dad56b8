"""What the pipeline's role may do with the consumers' own tables."""

from django.apps import AppConfig
from django.db import connections
from django.db.backends.utils import CursorWrapper

from audittrail import conf


def grant_after_migrate(sender: AppConfig, using: str, **_: object) -> None:
    """Grant the pipeline's role all on the app's tables, where it keeps its state; the site's role gets its rights from
    the trail's installation.
    """
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    tables = [
        model._meta.db_table
        for model in sender.get_models()
        if not model._meta.proxy and model._meta.db_table in existing
    ]
    if tables:
        quoted = ", ".join(map(connection.ops.quote_name, tables))
        role = connection.ops.quote_name(conf.pipeline_role())
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {quoted} TO {role}")
            cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {_schema(cursor)} TO {role}")


def _schema(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT quote_ident(current_schema())")
    (name,) = cursor.fetchone()
    return str(name)
