"""How far behind each stage is, and who reads for it, as Kafka sees it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from consumers import stages
from consumers.kafka import clients, consumer_lag
from consumers.kafka.consumer_lag import GroupMember
from consumers.records import Partition
from consumers.runtime.stage_spec import StageSpec
from consumers.supervision.lag_rules import Place


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A stage as Kafka sees it: lag (None: cannot be told), partitions whose lag cannot be told, each partition by its
    name, the group's state and members.
    """

    lag: int | None = None
    unknown_partitions: int = 0
    partitions: dict[str, Place] = field(default_factory=dict)
    state: str | None = None
    members: list[GroupMember] = field(default_factory=list)


def group_statuses(using: str = "default") -> tuple[dict[str, GroupStatus], str]:
    """Stage → status, and why Kafka could not be asked, if so. The lag of a stage that reads the outbox is its backlog,
    counted in the database `using`.
    """
    specs = list(stages.table().values())
    found = {spec.name: _from_outbox(spec, using) for spec in specs}
    try:
        return found | _from_kafka([spec for spec in specs if spec.group_name]), ""
    except (KafkaException, TimeoutError) as error:
        clients.forget()
        reason = error.args[0].str() if isinstance(error, KafkaException) else "it does not answer in time"
        return found, f"Kafka cannot be asked: {reason}"


def _from_outbox(spec: StageSpec, using: str) -> GroupStatus:
    if not (spec.backlog and spec.progress):
        return GroupStatus()
    place = Place(spec.backlog(using, None), spec.progress(using))
    return GroupStatus(place.lag, partitions={"outbox": place})


def _from_kafka(specs: Sequence[StageSpec]) -> dict[str, GroupStatus]:
    admin = clients.admin()
    topics = {spec.name: spec.topics() for spec in specs}
    groups = {spec.name: spec.group for spec in specs}
    within = consumer_lag.bounds(admin, sorted(set().union(*topics.values())))
    positions = {
        name: consumer_lag.committed(group, (each for each in within.first if each.topic in topics[name]))
        for name, group in groups.items()
    }
    described = consumer_lag.members(admin, groups.values())
    found = {}
    for name, group in groups.items():
        lags = consumer_lag.by_partition(topics[name], within, positions[name])
        state, members = described[group]
        places = {_name(each): Place(lag, positions[name].get(each)) for each, lag in sorted(lags.items())}
        found[name] = GroupStatus(consumer_lag.total(lags), list(lags.values()).count(None), places, state, members)
    return found


def _name(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number}"
