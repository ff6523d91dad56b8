"""The chain over what was captured."""

from django.db import connections

from audittrail.capture import outbox_rows
from audittrail.events.event import Event
from audittrail.integrity.chain import Chain, ChainBreak


def captured() -> list[Event]:
    """All events in the outbox, as they are published."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT id FROM audittrail_outboxevent")
        rows = outbox_rows.read(cursor, [number for (number,) in cursor.fetchall()])
    return sorted(map(outbox_rows.event_of, rows), key=lambda event: (event["article_id"], event["sequence"]))


def breaks(events: list[Event]) -> list[ChainBreak]:
    """What is wrong with the chains of these events, in the order in which they are given."""
    chains = {event["article_id"]: Chain(event["article_id"]) for event in events}
    return [found for event in events for found in chains[event["article_id"]].feed(event)]
