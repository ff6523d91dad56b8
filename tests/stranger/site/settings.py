"""Settings of the stranger's site: roles of its own names, whose passwords are their names, and a pool of connections
before the database.
"""

import os
import sys
from typing import Any

from django.conf import global_settings

from audittrail import conf
from audittrail.testing import as_owner

SECRET_KEY = "not a secret"
AUTH_USER_MODEL = "press.Person"
TIME_ZONE = "Asia/Kathmandu"
USE_TZ = True
ROOT_URLCONF = "tests.stranger.site.settings"
urlpatterns: list[Any] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_DJANGO = ["admin", "auth", "contenttypes", "sessions", "messages", "humanize", "postgres"]
INSTALLED_APPS = [
    "tests.stranger.site.press",
    "unfold",
    *(f"django.contrib.{app}" for app in _DJANGO),
    "rest_framework",
    "audittrail",
    "consumers",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "audittrail.capture.middleware.AuditContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ELASTICSEARCH_DSL = {"default": {"hosts": "http://127.0.0.1:1"}}
STORAGES = {
    **global_settings.STORAGES,
    "audit": {"BACKEND": "audittrail.archive.object_storage.ArchiveStorage"},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(role: str, port: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PRESS_DATABASE"],
        "HOST": os.environ["PRESS_HOST"],
        "PORT": port,
        "USER": role,
        "PASSWORD": role,
    }


# The site alone comes through the pool, which hands each transaction any of its connections.
DATABASES = {
    "default": {
        **_database(conf.application_role(), os.environ["PRESS_POOL_PORT"]),
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
    "pipeline": _database(conf.pipeline_role(), os.environ["PRESS_PORT"]),
    "owner": _database(os.environ["PRESS_OWNER"], os.environ["PRESS_PORT"]),
}

if "test" in sys.argv:
    DATABASES = as_owner(DATABASES)
    INSTALLED_APPS.append("audittrail.testing")
