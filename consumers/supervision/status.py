"""What each stage should do, what it does, and how far behind it is: put together from PostgreSQL and Kafka."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from consumers import conf, stages
from consumers.models import DesiredState, LagSample, Member, ProcessState, StageControl
from consumers.runtime.circuit_breaker import Halt
from consumers.runtime.stage_spec import StageSpec
from consumers.supervision import lag_rules
from consumers.supervision.group_status import GroupStatus, group_statuses

Samples = dict[str, list[lag_rules.Sample]]
"""Those of each stage, oldest first."""

UNRESPONSIVE_SECONDS = 5.0
"""A process that has not reported for so long counts as not running."""

STALLED_AFTER = timedelta(seconds=30)
"""An offset that has not moved for so long, beyond what a batch may wait, has stalled."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """A process as it reports itself; `silent_seconds` since its last report."""

    slot: int
    host: str
    pid: int
    state: ProcessState
    reason: str
    partitions: int
    processed: int
    dead_letters: int
    silent_seconds: float
    halts: list[Halt] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.state != ProcessState.STOPPED and self.silent_seconds < UNRESPONSIVE_SECONDS


@dataclass(frozen=True, slots=True)
class StageStatus:
    """A stage: desired and observed state, why it is not running, processes, lag, verdict on its recent lag."""

    stage: str
    desired_state: DesiredState
    desired_processes: int
    observed_state: ProcessState
    reason: str
    lag: int | None
    verdict: lag_rules.Verdict
    explanation: str
    group: str | None
    view: GroupStatus
    processes: list[ProcessStatus]

    @property
    def alive(self) -> int:
        return sum(process.alive for process in self.processes)

    @property
    def halts(self) -> list[Halt]:
        """Partitions that are read no further until they are released."""
        return halts_of(self.processes)

    @property
    def situation(self) -> lag_rules.Situation:
        """What the verdict is judged by beside the lag."""
        return lag_rules.Situation(self.desired_state, len(self.halts))

    @property
    def as_desired(self) -> bool:
        """Whether what is observed is what is desired."""
        expected = 0 if self.desired_state == DesiredState.STOPPED else self.desired_processes
        return self.observed_state.value == self.desired_state.value and self.alive == expected

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self) | {"alive": self.alive, "as_desired": self.as_desired}


@dataclass(frozen=True, slots=True)
class Status:
    """All stages at a moment, and what could not be asked."""

    at: datetime
    kafka_problem: str
    stages: list[StageStatus]

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "at": self.at,
            "kafka_problem": self.kafka_problem,
            "stages": [stage.as_dict() for stage in self.stages],
        }


def collect(using: str = "default", samples: Samples | None = None) -> Status:
    """The status of every stage, judged by these samples, or by those of now. That Kafka is away is part of the answer,
    and not raised.
    """
    groups, problem = group_statuses(using)
    controls = {row.stage: row for row in StageControl.objects.using(using).all()}
    processes = processes_by_stage(using)
    samples = recent_samples(using) if samples is None else samples
    found = [
        _stage_status(
            spec,
            controls.get(spec.name) or StageControl(stage=spec.name),
            processes.get(spec.name, []),
            groups[spec.name],
            samples.get(spec.name, []),
        )
        for spec in stages.table().values()
    ]
    return Status(timezone.now(), problem, found)


def recent_samples(using: str = "default") -> Samples:
    """The samples of the verdicts' window by stage, oldest first."""
    rows = LagSample.objects.using(using).filter(at__gt=timezone.now() - lag_rules.WINDOW).order_by("at")
    found: Samples = {}
    for row in rows:
        found.setdefault(row.stage, []).append(
            lag_rules.Sample(
                row.at,
                row.lag,
                row.members,
                {name: lag_rules.Place(**place) for name, place in row.partitions.items()},
                row.problem,
                lag_rules.Verdict(row.verdict or lag_rules.Verdict.UNKNOWN),
            )
        )
    return found


def limits() -> lag_rules.Limits:
    """The house rule for alerts, from the settings; what a stage gathers for a batch does not stall."""
    held = max(conf.batch_seconds(), conf.archive_batch_seconds())
    return lag_rules.Limits(
        conf.lag_threshold(), timedelta(seconds=conf.lag_seconds()), STALLED_AFTER + timedelta(seconds=held)
    )


def processes_by_stage(using: str) -> dict[str, list[ProcessStatus]]:
    """The processes of each stage as they last reported themselves."""
    now = timezone.now()
    found: dict[str, list[ProcessStatus]] = {}
    for row in Member.objects.using(using).order_by("stage", "slot"):
        process = ProcessStatus(
            slot=row.slot,
            host=row.host,
            pid=row.pid,
            state=ProcessState(row.state),
            reason=row.reason,
            partitions=len(row.partitions),
            processed=row.processed,
            dead_letters=row.dead_letters,
            silent_seconds=round(max(0.0, (now - row.beat_at).total_seconds()), 1),
            halts=[Halt(**halt) for halt in row.halts],
        )
        found.setdefault(row.stage, []).append(process)
    return found


def _stage_status(
    spec: StageSpec,
    wanted: StageControl,
    processes: list[ProcessStatus],
    group: GroupStatus,
    samples: list[lag_rules.Sample],
) -> StageStatus:
    observed, reason = observe(processes)
    situation = lag_rules.Situation(wanted.desired_state, len(halts_of(processes)))
    judgement = lag_rules.judge(samples, limits(), timezone.now(), situation)
    return StageStatus(
        stage=spec.name,
        desired_state=DesiredState(wanted.desired_state),
        desired_processes=wanted.processes,
        observed_state=observed,
        reason=reason,
        lag=group.lag,
        verdict=judgement.verdict,
        explanation=judgement.explanation,
        group=spec.group or None,
        view=group,
        processes=[process for process in processes if process.alive or process.slot <= wanted.processes],
    )


def halts_of(processes: Iterable[ProcessStatus]) -> list[Halt]:
    """Partitions that processes of a stage have halted, of those alive."""
    return [halt for process in processes if process.alive for halt in process.halts]


def observe(processes: Iterable[ProcessStatus]) -> tuple[ProcessState, str]:
    """State of a stage and why it is in it, from its processes: the worst of those alive; stopped when none is."""
    alive = [process for process in processes if process.alive]
    state = ProcessState.worst(process.state for process in alive)
    reasons = dict.fromkeys(process.reason for process in alive if process.state == state and process.reason)
    return state, "; ".join(reasons)
