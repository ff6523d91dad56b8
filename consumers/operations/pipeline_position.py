"""When everything that was published by now has gone through the enricher and a sink.

A group that has committed past the end of its topic has processed all that was there, as every stage commits after its
work is durable. So: note the end of the raw topic; once the enricher is past it, note the end of the enriched topic;
once a sink is past that, the sink has every event published before the first note.
"""

from confluent_kafka.admin import AdminClient

from consumers import conf, stages
from consumers.kafka import consumer_lag

LONGEST = 20_000
"""Offsets that a batch given up may have left at the end of a partition."""


class PipelinePosition:
    """Everything published before this object was made, on its way. Raises KafkaException throughout, and can then be
    asked again.
    """

    def __init__(self, admin: AdminClient):
        self._admin = admin
        self._to_enricher = consumer_lag.bounds(admin, [conf.raw_topic()])
        self._to_sinks: consumer_lag.Bounds | None = None

    def before_enricher(self) -> int | None:
        """Messages that the enricher still has to pass; None while that is not known."""
        return self._left(self._to_enricher, stages.ENRICHER.group)

    def before_sink(self, group: str) -> int | None:
        """Messages that a sink's group still has to pass; None while that is not known, at least until the enricher
        has passed all.
        """
        if self._to_sinks is None:
            if self.before_enricher() != 0:
                return None
            self._to_sinks = consumer_lag.bounds(self._admin, [conf.enriched_topic()])
        return self._left(self._to_sinks, group)

    def _left(self, within: consumer_lag.Bounds, group: str) -> int | None:
        topics = {partition.topic for partition in within.first}
        return consumer_lag.total(
            consumer_lag.by_partition(topics, within, consumer_lag.committed(group, within.first), longest=LONGEST)
        )
