"""The relay: outbox rows become Kafka messages, exactly once, by lane and intent.

An article belongs to one lane (its hash slot modulo the number of lanes); a lane has a lease, a transactional id and
partitions of its own. A lane publishes batch after batch:

1. it commits an intent in PostgreSQL: number of the batch, ids of its rows;
2. one Kafka transaction holds the batch's messages and, as the offset of a group without members, the batch's number;
3. it marks the rows published.

The process that takes the lane over initialises the same transactional id, which ends what its predecessor left open,
and reads the number: the intent's says that the batch is in Kafka; a lower one, that it is not.
"""
