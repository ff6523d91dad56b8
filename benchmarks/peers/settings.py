"""The site's settings with the peers installed, on a database of their own."""

from auditsite.settings import *  # noqa: F403
from auditsite.settings import DATABASES, INSTALLED_APPS

DATABASE = "bench_capture"
for _each in DATABASES.values():
    _each["NAME"] = DATABASE

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "auditlog",
    "simple_history",
    "pgtrigger",
    "pghistory",
    "taggit",
    "modelcluster",
    "wagtail.users",
    "wagtail.images",
    "wagtail.documents",
    "wagtail.search",
    "wagtail.admin",
    "wagtail.sites",
    "wagtail",
    "benchmarks.peers",
]
MIGRATION_MODULES = {"peers": None}
SILENCED_SYSTEM_CHECKS = ["models.W042"]
WAGTAIL_SITE_NAME = "bench"
WAGTAILADMIN_BASE_URL = "http://localhost"
