"""The consumers: all that touches Kafka."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from consumers import conf


class ConsumersConfig(AppConfig):
    name = "consumers"
    verbose_name = "Consumers"
    settings_module = conf

    def ready(self) -> None:
        from audittrail.capture.context import captured
        from audittrail.timeline import gap_causes
        from consumers.operations.gap_causes import dead_letter_causes, set_aside_causes
        from consumers.permissions import grant_after_migrate
        from consumers.relay.wake import wake_soon
        from consumers.stages import take_part_in_verification

        take_part_in_verification()  # what is wrong in AUDIT_STAGES ends the start
        gap_causes.extend((set_aside_causes, dead_letter_causes))
        captured.connect(wake_soon, dispatch_uid="consumers.relay.wake")
        post_migrate.connect(grant_after_migrate, sender=self, dispatch_uid="consumers.permissions")
