"""What a client may notice of a failing Kafka: a producer whose calls fail as a test wants, in memory or real."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import cast

from confluent_kafka import KafkaError

from consumers.kafka.protocols import ProducerClient
from testkit.kafka import errors

QUEUE_FULL = BufferError("Local: Queue full")
EVICTED = errors.abortable(KafkaError.UNKNOWN_MEMBER_ID, "Broker: Unknown member")
TIMED_OUT = errors.timed_out("Local: Timed out")


@dataclass
class Fault:
    """`times` calls of a method raise an error; with `takes_effect`, after they were made all the same."""

    call: str
    error: Exception
    takes_effect: bool = False
    times: int = 1


class _FaultyProducer:
    def __init__(self, producer: ProducerClient, faults: Iterable[Fault]):
        self._producer, self._faults = producer, faults

    def __getattr__(self, name: str) -> Callable[..., object]:
        return partial(self._call, name)

    def _call(self, name: str, *arguments: object, **options: object) -> object:
        call = getattr(self._producer, name)
        for fault in self._faults:
            if fault.call == name and fault.times:
                fault.times -= 1
                if fault.takes_effect:
                    call(*arguments, **options)
                raise fault.error
        return call(*arguments, **options)


def faulty(producer: ProducerClient, faults: Iterable[Fault]) -> ProducerClient:
    """The producer, with faults that are shared with its successors and used up once."""
    return cast(ProducerClient, _FaultyProducer(producer, faults))
