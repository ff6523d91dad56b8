"""manage.py create_topics"""

from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table

from audittrail.env.addresses import without_credentials
from consumers import conf
from consumers.kafka import clients, topics
from consumers.management.console import WIDTH, console


class Command(BaseCommand):
    help = (
        "Makes the Kafka topics of the audit trail, and repairs those that differ from what the settings say: "
        "configuration is changed, partitions are added. Partitions cannot be taken away, nor replicas moved: that is "
        "said, and left to you. Run it as often as you like."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if anything differs")

    def handle(self, *, check: bool, **options: object) -> None:
        try:
            left = self._compare(repair=not check)
        except KafkaException as error:
            raise CommandError(
                f"Kafka at {without_credentials(conf.kafka_bootstrap_servers())}: {error.args[0].str()}. "
                "Is it running, and is the address right?"
            ) from error
        if left:
            raise CommandError(f"{len(left)} difference(s) left.")

    def _compare(self, repair: bool) -> list[topics.Difference]:
        admin = clients.admin()
        brokers = topics.brokers(admin)
        wanted = topics.wanted(brokers)
        if wanted[0].replication < conf.replication():
            self.stdout.write(
                f"The cluster has {brokers} broker(s): "
                f"replication is {wanted[0].replication} instead of {conf.replication()}."
            )
        found = topics.differences(admin, wanted)
        if not found:
            self.stdout.write(self.style.SUCCESS(f"{len(wanted)} topics, as they should be."))
            return []
        self._show(found, repair)
        if not repair:
            return found
        left = topics.repair(admin, found)
        if appeared := [difference for difference in left if difference not in found]:
            self._show(appeared, False)
        return left

    def _show(self, found: list[topics.Difference], repair: bool) -> None:
        table = Table("topic", "setting", "is", "should be", "done" if repair else "to do")
        table.columns[0].overflow = "fold"
        words = {
            topics.CREATE: ("create", "created"),
            topics.ALTER: ("change", "changed"),
            topics.GROW: ("add", "added"),
        }
        for difference in found:
            action = difference.note or words[difference.remedy][repair]
            table.add_row(difference.topic.name, difference.setting, difference.actual, difference.wanted, action)
        console(self.stdout, width=WIDTH).print(table)
