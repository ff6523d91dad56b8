"""A stage that copies, in loops that a test takes turn by turn: no thread, no database, any Kafka."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from consumers import conf
from consumers.errors import NotReady
from consumers.kafka.protocols import GroupConsumer, ProducerClient
from consumers.messages.authenticity import keyring
from consumers.models import DesiredState
from consumers.records import Message, Outcome, Partition, Record, Rejection
from consumers.runtime.delivery import Delivery, ExactlyOnce
from consumers.runtime.heartbeat import Control, ProcessReport
from consumers.runtime.loop import Collaborators, Loop
from consumers.runtime.shutdown import Shutdown
from consumers.runtime.stage import Stage
from consumers.runtime.stage_spec import StageSpec
from testkit.kafka.backends import Backend
from testkit.kafka.faults import Fault, faulty

PARTITIONS = 4
SECONDS = 40


def source() -> str:
    return f"{conf.prefix()}source"


def target() -> str:
    return f"{conf.prefix()}target"


def letters() -> str:
    return f"{conf.prefix()}letters"


class Copying(Stage):
    """Copies each record to its partition of the target; rejects those that begin with `bad`."""

    spec = StageSpec(
        name="copying", route="source → target", reads=(source,), group_name="copying", member_name="copying-node"
    )

    def __init__(self, topic: str | None = None, *, max_records: int = 1000, max_seconds: float = 0.1):
        super().__init__()
        self._topic = topic or source()
        self.max_records, self.max_seconds = max_records, max_seconds
        self.lacks = ""
        """Why it is not ready to process; empty when it is."""
        self.starts: dict[Partition, int] | None = {}
        """Its positions; None while they are not known."""
        self.attempts: list[list[Record]] = []
        self.forgotten: list[Partition] = []
        self.is_closed = False

    def topics(self) -> list[str]:
        return [self._topic]

    def positions(self, partitions: list[Partition]) -> dict[Partition, int]:
        if self.starts is None:
            raise NotReady("positions are not known")
        return {partition: self.starts[partition] for partition in partitions if partition in self.starts}

    def revoked(self, partitions: Iterable[Partition]) -> None:
        self.forgotten += partitions

    def process(self, records: list[Record]) -> Outcome:
        self.attempts.append(records)
        if self.lacks:
            raise NotReady(self.lacks)
        bad = [record for record in records if (record.value or b"").startswith(b"bad")]
        good = [record for record in records if record not in bad]
        return Outcome(
            messages=[Message(target(), record.partition, record.key, record.value, record.headers) for record in good],
            rejections=[Rejection(record, "bad", "it begins so") for record in bad],
        )

    def close(self) -> None:
        self.is_closed = True


class Storing(Copying):
    """As a sink: what it has processed is stored, and nothing is to be written."""

    def process(self, records: list[Record]) -> Outcome:
        super().process(records)
        return Outcome()


class PlainDeadLetters:
    """Writes what was rejected as it is."""

    def message(self, rejection: Rejection) -> Message:
        record = rejection.record
        return Message(letters(), 0, record.key, record.value, record.headers)


@dataclass
class InMemoryControl:
    """A control channel without a database: a test says what is wanted, and reads the report."""

    report: ProcessReport = field(default_factory=ProcessReport)
    control: Control = field(default_factory=Control)

    def ask(self, desired: DesiredState) -> None:
        """What an admin does on the page of consumers."""
        self.control = Control(desired, self.control.releases)

    def release(self) -> None:
        """Every halt that is reported."""
        releases = {(halt.topic_id, halt.partition): halt.last_offset for halt in self.report.halts}
        self.control = Control(self.control.desired, {**self.control.releases, **releases})

    def begin(self) -> None:
        pass

    def end(self, report: ProcessReport, timeout: float) -> None:
        self.report = report


@dataclass
class CopyProcess:
    """One process of the stage, as a test holds it."""

    stage: Copying
    control: InMemoryControl
    loop: Loop
    producers: list[ProducerClient]
    """Those of transactions that it has made."""

    @property
    def state(self) -> str:
        return self.control.report.state


MakeDelivery = Callable[[GroupConsumer, Shutdown], Delivery]


class Copies:
    """Processes of the stage on one Kafka."""

    def __init__(self, kafka: Backend):
        self.kafka = kafka
        self.processes: list[CopyProcess] = []
        for topic in (source(), target(), letters()):
            kafka.create_topic(topic, PARTITIONS)

    def start(
        self,
        stage: Copying | None = None,
        slot: int = 1,
        *,
        faults: Iterable[Fault] = (),
        delivery: MakeDelivery | None = None,
    ) -> CopyProcess:
        """A process in a slot; nothing happens before its first turn."""
        stage, control, shutdown = stage or Copying(), InMemoryControl(), Shutdown(self.kafka.clock)
        member = conf.member(stage.member, slot)
        consumer = self.kafka.consumer(stage.group, member)
        producers: list[ProducerClient] = []

        def make_producer() -> ProducerClient:
            producers.append(faulty(self.kafka.transactional_producer(conf.transactional_id(member)), faults))
            return producers[-1]

        exactly_once = ExactlyOnce(consumer, stage.name, make_producer, shutdown.remaining)
        collaborators = Collaborators(
            consumer=consumer,
            delivery=delivery(consumer, shutdown) if delivery else exactly_once,
            control=control,
            make_dead_letter_writer=PlainDeadLetters,
            keyring=keyring(),
            topic_ids=self.kafka.topic_ids,
            shutdown=shutdown,
            clock=self.kafka.clock,
        )
        self.processes.append(CopyProcess(stage, control, Loop(stage, collaborators), producers))
        return self.processes[-1]

    def turn_until(self, condition: Callable[[], object], what: str, *others: CopyProcess) -> None:
        """Take all processes, or these, turn by turn. Fails after SECONDS."""
        deadline = self.kafka.clock.monotonic() + SECONDS
        while not condition():
            assert self.kafka.clock.monotonic() < deadline, f"{what} did not come true within {SECONDS} s"
            for process in others or self.processes:
                process.loop.turn()

    def turn_for(self, seconds: float, *others: CopyProcess) -> None:
        """Take all processes, or these, turn by turn for some time."""
        end = self.kafka.clock.monotonic() + seconds
        self.turn_until(lambda: self.kafka.clock.monotonic() >= end, f"{seconds} seconds", *others)

    def put(self, *values: str, partition: int | None = None) -> None:
        """Values into the source, one partition after the other, or into one."""
        self.kafka.put(
            source(),
            [(n % PARTITIONS if partition is None else partition, value.encode()) for n, value in enumerate(values)],
        )

    def copied(self) -> list[str]:
        """Values in the target, sorted."""
        return sorted(message.value().decode() for message in self.kafka.messages(target()))

    def rejected(self) -> list[str]:
        """Values in the dead letters, sorted."""
        return sorted(message.value().decode() for message in self.kafka.messages(letters()))

    def passed(self) -> int:
        """Records of the source that the group has committed, as long as it holds no markers."""
        return sum(self.kafka.committed(conf.group("copying"), source()).values())

    def close(self) -> None:
        for process in self.processes:
            if not process.stage.is_closed:
                process.loop.close()


def names(count: int, stem: str = "n") -> list[str]:
    """Distinct values, in order."""
    return [f"{stem}{number:03d}" for number in range(count)]
