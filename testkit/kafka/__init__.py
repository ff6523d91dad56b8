"""Kafka in memory, for tests of the loop that take milliseconds; tests/consumers/runtime holds it against the real one.

What it has: topics with ids, partitions, offsets, log-append times; transactions as read_committed readers see them,
markers taking offsets, fencing by transactional id, time-outs of transactions; consumer groups of static and dynamic
members with cooperative rebalances, eviction, fencing by group.instance.id and the end of sessions; clients that take
the arguments of confluent_kafka's and raise its exceptions. Time passes only while a client waits.

What it has not: brokers, leaders, networks and their failures (faults.py has those that a client notices), retention
and compaction, read_uncommitted readers, automatic commits, other assignors, and clients in several threads.
"""
