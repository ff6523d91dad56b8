"""Connections of the relay's own, in the pipeline's role."""

import psycopg
from django.db import connections


def connect(role: str = "pipeline") -> psycopg.Connection:
    """An autocommitting connection with psycopg's own types, one for each thread; `role`: an alias of the settings."""
    parameters = connections[role].get_connection_params()
    plain = {name: value for name, value in parameters.items() if name not in ("context", "cursor_factory")}
    return psycopg.connect(**plain, autocommit=True, keepalives_idle=5, keepalives_interval=2, keepalives_count=3)
