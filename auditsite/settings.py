"""Settings of the site. What can differ between machines is an environment variable; the defaults fit the local
stack.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.templatetags.static import static
from django.urls import reverse_lazy
from elasticsearch.serializer import OrjsonSerializer

import audittrail.schedule
import consumers.schedule
import newsroom.schedule
from auditsite import conf
from auditsite.logs import hide_credentials
from audittrail import conf as audit
from audittrail import env

BASE_DIR = Path(__file__).resolve().parent.parent

env.validate(conf)

# What the accessors of audittrail.conf and consumers.conf fall back on where no variable is set.
AUDIT_DEFAULTS = conf.local_servers()

DEBUG = conf.debug()
SECRET_KEY = conf.secret_key()
ALLOWED_HOSTS = conf.allowed_hosts()
CSRF_TRUSTED_ORIGINS = conf.csrf_trusted_origins()
SECURE_PROXY_SSL_HEADER = conf.https_header()

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    # Without autodiscovery, which the urls do: consumers start without the pages.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_elasticsearch_dsl",
    "django_prose_editor",
    "storages",
    "axes",
    "audittrail",
    "consumers",
    "newsroom",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "audittrail.web.refused_addresses.RefuseNulMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "audittrail.capture.middleware.AuditContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Failed logins, by form and by Basic, are counted for each name and address, and logged without the password.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = conf.login_failures()
AXES_COOLOFF_TIME = timedelta(minutes=conf.login_pause_minutes())
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "auditsite.logins.client_address"
AXES_LOCKOUT_CALLABLE = "auditsite.logins.locked_out"
AXES_SENSITIVE_PARAMETERS: list[str] = []
AXES_VERBOSE = False

ROOT_URLCONF = "auditsite.urls"
ASGI_APPLICATION = "auditsite.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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


def _database(user: str, password: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": conf.database_name(),
        "USER": user,
        "PASSWORD": password,
        "HOST": conf.database_host(),
        "PORT": conf.database_port(),
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"connect_timeout": 5},
    }


# One database, three roles: the site cannot write the trail, the pipeline cannot change it, the owner migrates.
DATABASES = {
    "default": _database(audit.application_role(), conf.application_password()),
    "pipeline": _database(audit.pipeline_role(), conf.pipeline_password()),
    "owner": _database(conf.owner_role(), conf.owner_password()),
    "logins": _database(audit.application_role(), conf.application_password()),
}
DATABASE_ROUTERS = ["auditsite.logins.FailuresRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

# Who a logged-in user is in the trail.
AUDIT_ACTOR_OF_USER = "newsroom.actors.actor_of_user"

# The body of an article may have several megabytes; Django's own limit is 2.5.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024

LANGUAGE_CODE = "en-gb"
TIME_ZONE = conf.time_zone()
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
MEDIA_ROOT = BASE_DIR / "var" / "media"
STATIC_ROOT = BASE_DIR / "var" / "static"
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "audit": {"BACKEND": "audittrail.archive.object_storage.ArchiveStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

ELASTICSEARCH_DSL = {
    "default": {
        "hosts": conf.server("ELASTICSEARCH_URL"),
        "serializer": OrjsonSerializer(),
        "request_timeout": 10,
        "retry_on_timeout": False,
        "max_retries": 0,
    }
}
ELASTICSEARCH_DSL_AUTOSYNC = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "audittrail.web.authentication.CheckedBasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Audit trail",
    "DESCRIPTION": "Every change to an article: who, when, what, and what it was before.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

CELERY_BROKER_URL = conf.server("REDIS_URL")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = f"{audit.prefix()}audit-control"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 2, "socket_connect_timeout": 1, "visibility_timeout": 600}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULE = {
    **audittrail.schedule.BEAT_SCHEDULE,
    **consumers.schedule.BEAT_SCHEDULE,
    **newsroom.schedule.BEAT_SCHEDULE,
}

UNFOLD = {
    "SITE_TITLE": "Audit trail",
    "SITE_HEADER": "Audit trail",
    "SITE_SUBHEADER": "Every change, in order, for ever",
    "SITE_SYMBOL": "history_edu",
    "SHOW_HISTORY": False,
    "STYLES": [lambda request: static("audittrail/timeline.css")],
    "SIDEBAR": {"navigation": "auditsite.navigation.sections"},
}

_LOG_RENDERERS = {
    "console": structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    "json": structlog.processors.JSONRenderer(),
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                hide_credentials,
                _LOG_RENDERERS[conf.log_format()],
            ],
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
            ],
        }
    },
    "filters": {"refusals": {"()": "auditsite.logs.RefusalsInOneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    # That a process starts with axes, and each request to Elasticsearch, is no news.
    "loggers": {
        "elastic_transport": {"level": "WARNING"},
        "axes.apps": {"level": "WARNING"},
        "django.request": {"filters": ["refusals"]},
    },
    "root": {"handlers": ["console"], "level": conf.log_level()},
}
