"""What errors of Kafka mean to a process: the codes are listed here only."""

from confluent_kafka import KafkaError

from consumers.errors import Evicted, Fenced

_EVICTED = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.MEMBER_ID_REQUIRED,
    KafkaError._ASSIGNMENT_LOST,
}
_FENCED = {
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError._FENCED,
    KafkaError._FATAL,
}


def is_fencing(error: KafkaError) -> bool:
    """Whether a client is of no use any more, mostly because another has its name or its transactional.id."""
    return error.fatal() or error.code() in _FENCED


def raise_if_fenced(error: KafkaError) -> None:
    """Raises Fenced."""
    if is_fencing(error):
        raise Fenced(f"Kafka: {error.str()}")


def raise_if_evicted(error: KafkaError) -> None:
    """Raises Evicted where the group went on without this member, which may join again."""
    if error.code() in _EVICTED:
        raise Evicted(error.str())
