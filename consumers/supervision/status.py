"""What each stage should do, what it does, and how far behind it is: put together from PostgreSQL and Kafka."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from confluent_kafka import KafkaException
from django.utils import timezone

from audittrail.models import OutboxEvent
from consumers import conf, stages
from consumers.kafka import clients, consumer_lag
from consumers.kafka.consumer_lag import GroupMember
from consumers.models import DesiredState, LagSample, Member, StageControl
from consumers.supervision import control, lag_rules

SILENT_SECONDS = 5.0
"""A process that has not reported for so long counts as not running."""
STATES = ("halted", "waiting", "starting", "paused", "running")
"""Worst first: a stage is in the worst state of its processes."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it reports itself; `silent_seconds` since its last report."""

    slot: int
    host: str
    pid: int
    state: str
    reason: str
    partitions: int
    processed: int
    dead_letters: int
    silent_seconds: float

    @property
    def alive(self) -> bool:
        return self.state != "stopped" and self.silent_seconds < SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class GroupView:
    """A stage as Kafka sees it: lag (None: cannot be told), partitions whose lag cannot be told, the group's state and
    members.
    """

    lag: int | None = None
    unknown_partitions: int = 0
    state: str | None = None
    members: list[GroupMember] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StageStatus:
    """A stage: desired and observed state, why it is not running, processes, lag, verdict on its recent lag."""

    stage: str
    desired_state: str
    desired_processes: int
    observed_state: str
    reason: str
    lag: int | None
    verdict: str
    group: str | None
    view: GroupView
    processes: list[Process]

    @property
    def alive(self) -> int:
        return sum(process.alive for process in self.processes)

    @property
    def as_desired(self) -> bool:
        """Whether what is observed is what is desired."""
        expected = 0 if self.desired_state == DesiredState.STOPPED else self.desired_processes
        return self.observed_state == self.desired_state and self.alive == expected

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self) | {"alive": self.alive, "as_desired": self.as_desired}


@dataclass(frozen=True, slots=True)
class Status:
    """All stages at a moment, and what could not be asked."""

    at: datetime
    kafka_problem: str
    stages: list[StageStatus]

    def as_dict(self) -> dict:
        """Plain values, for JSON."""
        return {
            "at": self.at,
            "kafka_problem": self.kafka_problem,
            "stages": [stage.as_dict() for stage in self.stages],
        }


def collect(using: str = "default") -> Status:
    """The status of every stage. Kafka being away is told, not raised."""
    views, problem = kafka_views(using)
    controls = {row.stage: row for row in StageControl.objects.using(using).all()}
    processes = _processes(using)
    samples = recent_samples(using)
    found = [
        _stage_status(
            name,
            controls.get(name) or StageControl(stage=name),
            processes.get(name, []),
            views[name],
            samples.get(name, []),
        )
        for name in control.stages()
    ]
    return Status(timezone.now(), problem, found)


def kafka_views(using: str = "default") -> tuple[dict[str, GroupView], str]:
    """Each stage as Kafka sees it, and why it could not be asked, if so. The relay's lag is what waits in the
    outbox.
    """
    views = {name: GroupView() for name in control.stages()}
    views[control.RELAY] = GroupView(lag=OutboxEvent.objects.using(using).pending().count())
    try:
        return views | _group_views(), ""
    except KafkaException as error:
        return views, f"Kafka cannot be asked: {error.args[0].str()}"


def _group_views() -> dict[str, GroupView]:
    admin = clients.admin()
    consumed = {name: stages.make(name) for name in stages.STAGES}
    topics = {name: stage.topics() for name, stage in consumed.items()}
    within = consumer_lag.bounds(admin, sorted(set().union(*topics.values())))
    positions = {
        name: consumer_lag.committed(stage.group, (each for each in within.first if each.topic in topics[name]))
        for name, stage in consumed.items()
    }
    groups = consumer_lag.members(admin, [stage.group for stage in consumed.values()])
    views = {}
    for name, stage in consumed.items():
        lags = consumer_lag.by_partition(topics[name], within, positions[name])
        state, members = groups[stage.group]
        views[name] = GroupView(consumer_lag.total(lags), list(lags.values()).count(None), state, members)
    return views


def recent_samples(using: str = "default") -> dict[str, list[lag_rules.Sample]]:
    """The samples of the verdicts' window by stage, oldest first."""
    rows = LagSample.objects.using(using).filter(at__gt=timezone.now() - lag_rules.WINDOW).order_by("at")
    found: dict[str, list[lag_rules.Sample]] = {}
    for row in rows:
        found.setdefault(row.stage, []).append(lag_rules.Sample(row.at, row.lag, row.members))
    return found


def limits() -> lag_rules.Limits:
    """The house rule for alerts, from the settings."""
    return lag_rules.Limits(conf.lag_threshold(), timedelta(seconds=conf.lag_seconds()))


def _processes(using: str) -> dict[str, list[Process]]:
    now = timezone.now()
    found: dict[str, list[Process]] = {}
    for row in Member.objects.using(using).order_by("stage", "slot"):
        silent = max(0.0, (now - row.beat_at).total_seconds())
        process = Process(
            row.slot,
            row.host,
            row.pid,
            row.state,
            row.reason,
            len(row.partitions),
            row.processed,
            row.dead_letters,
            round(silent, 1),
        )
        found.setdefault(row.stage, []).append(process)
    return found


def _stage_status(
    name: str, wanted: StageControl, processes: list[Process], view: GroupView, samples: list[lag_rules.Sample]
) -> StageStatus:
    observed, reason = observe(processes)
    shown = [process for process in processes if process.alive or process.slot <= wanted.processes]
    verdict = lag_rules.judge(samples, limits(), timezone.now())
    group = None if name == control.RELAY else stages.make(name).group
    return StageStatus(
        name, wanted.desired_state, wanted.processes, observed, reason, view.lag, verdict.value, group, view, shown
    )


def observe(processes: Iterable[Process]) -> tuple[str, str]:
    """State of a stage and why it is in it, from its processes: the worst of those alive; stopped when none is."""
    alive = [process for process in processes if process.alive]
    if not alive:
        return "stopped", ""
    state = min((process.state for process in alive), key=STATES.index)
    reasons = dict.fromkeys(process.reason for process in alive if process.state == state and process.reason)
    return state, "; ".join(reasons)
