"""Errors as librdkafka gives them."""

from confluent_kafka import KafkaError, KafkaException


def local(code: int, reason: str) -> KafkaException:
    """A call that makes no sense in the client's state, or could not be answered in time."""
    return KafkaException(KafkaError(code, reason, False, code == KafkaError._TIMED_OUT, False))


def abortable(code: int, reason: str) -> KafkaException:
    """The transaction must be aborted; the producer lives."""
    return KafkaException(KafkaError(code, reason, False, False, True))


def fatal(code: int, reason: str) -> KafkaError:
    """The client is of no use any more."""
    return KafkaError(code, reason, True, False, False)


def timed_out(reason: str = "timed out") -> KafkaException:
    return local(KafkaError._TIMED_OUT, reason)
