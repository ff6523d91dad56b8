"""manage.py republish"""

import argparse

from confluent_kafka import KafkaException
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from consumers.operations.republish import NotEmpty, republish

DESCRIPTION = """\
Refills an empty Kafka from the outbox, after a cluster was lost: the relay publishes every event again that the
outbox keeps.

Stop the relay first (page of consumers, or manage.py consumer_status to see it), make topics and schemas, run this,
start the relay. Sinks recognise what they have."""

EPILOG = """\
exit status: 0 when done; 1 when the topic is not new or a relay still holds lanes, with what to do.

example:
  manage.py create_topics && manage.py register_schemas && manage.py republish"""


class Command(BaseCommand):
    help = "Refills an empty Kafka from the outbox."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description, parser.epilog = DESCRIPTION, EPILOG

    def handle(self, **options: object) -> None:
        try:
            count = republish()
        except NotEmpty as error:
            raise CommandError(str(error)) from error
        except KafkaException as error:
            raise CommandError(
                f"Kafka: {error.args[0].str()}. Start it (python -m stack up), then run this again."
            ) from error
        except OperationalError as error:
            raise CommandError(f"PostgreSQL is not there: {error}") from error
        self.stdout.write(f"{count:,} events will be published again once the relay runs.")
