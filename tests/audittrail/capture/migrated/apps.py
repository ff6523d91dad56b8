from django.apps import AppConfig


class MigratedConfig(AppConfig):
    name = "tests.audittrail.capture.migrated"
    label = "migrated"
