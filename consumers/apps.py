"""The consumers: all that touches Kafka."""

from django.apps import AppConfig

from consumers import conf


class ConsumersConfig(AppConfig):
    name = "consumers"
    verbose_name = "Consumers"
    settings_module = conf

    def ready(self) -> None:
        from audittrail.capture.context import captured
        from audittrail.capture.rights import list_tables
        from audittrail.timeline import gap_causes
        from consumers.operations.gap_causes import dead_letter_causes, set_aside_causes
        from consumers.permissions import RIGHTS
        from consumers.relay.wake import wake_soon
        from consumers.stages import take_part_in_verification

        take_part_in_verification()  # what is wrong in AUDIT_STAGES ends the start
        gap_causes.extend((set_aside_causes, dead_letter_causes))
        captured.connect(wake_soon, dispatch_uid="consumers.relay.wake")
        list_tables(RIGHTS)
