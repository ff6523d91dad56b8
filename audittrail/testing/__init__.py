"""For the test settings of a CMS: an app whose `flush` may empty tracked tables, and databases that the owner makes.

Installed nowhere else: a trail that can be emptied proves nothing.
"""

from typing import Any

Databases = dict[str, dict[str, Any]]


def as_owner(databases: Databases, owner: str = "owner") -> Databases:
    """DATABASES for tests: each alias of the trail's database as its owner, who makes the test database and flushes it.

    owner: the alias of that role, which PostgreSQL must let create databases. Aliases of other databases stay.
    """
    name = databases[owner]["NAME"]
    return {
        alias: dict(databases[owner]) if parameters["NAME"] == name else parameters
        for alias, parameters in databases.items()
    }
