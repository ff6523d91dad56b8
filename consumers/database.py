"""Connections of psycopg's own, in the roles of the settings."""

from collections.abc import Mapping

import psycopg
from django.db import connections


def connect(role: str = "pipeline") -> psycopg.Connection:
    """An autocommitting connection with psycopg's own types, one for each thread; `role`: an alias of the settings."""
    parameters = connections[role].get_connection_params()
    plain = {name: value for name, value in parameters.items() if name not in ("context", "cursor_factory")}
    return psycopg.connect(**plain, autocommit=True, keepalives_idle=5, keepalives_interval=2, keepalives_count=3)


def count(connection: psycopg.Connection, query: str, parameters: Mapping[str, object] | None = None) -> int:
    """The number that a query gives in its one row. Raises psycopg.Error."""
    number: int
    ((number,),) = connection.execute(query, parameters).fetchall()
    return number
