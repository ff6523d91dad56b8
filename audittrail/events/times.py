"""The start of the count in which Kafka, Arrow and the chain write times, as whole numbers.

Times are converted as differences from it, which is exact; datetime.timestamp() makes a float of them.
"""

from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
