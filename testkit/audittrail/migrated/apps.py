from django.apps import AppConfig


class MigratedConfig(AppConfig):
    name = "testkit.audittrail.migrated"
    label = "migrated"
