"""Finds the models that are tracked, and keeps their capture installed."""

from django.apps import AppConfig, apps
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from audittrail import conf, env


class AuditTrailConfig(AppConfig):
    name = "audittrail"
    verbose_name = "Audit trail"
    settings_module = conf

    def ready(self) -> None:
        from audittrail.capture import checks  # noqa: F401  registers itself
        from audittrail.capture.at_start import log_problems_at_first_request
        from audittrail.capture.install import install_after_migrate
        from audittrail.capture.stamping import stamp_new_connection

        env.validate(*(app.settings_module for app in apps.get_app_configs() if hasattr(app, "settings_module")))
        autodiscover_modules("audit")
        connection_created.connect(stamp_new_connection, dispatch_uid="audittrail.capture")
        post_migrate.connect(install_after_migrate, dispatch_uid="audittrail.capture")
        log_problems_at_first_request()
