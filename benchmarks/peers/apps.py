from django.apps import AppConfig


class PeersConfig(AppConfig):
    name = "benchmarks.peers"
    label = "peers"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from benchmarks.peers.models import LoggedArticle, LoggedCredit

        auditlog.register(LoggedArticle, m2m_fields={"tags"})
        auditlog.register(LoggedCredit)
