"""The stages as the admin shows them: plain texts, the same for the page and for its refreshing."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from django.utils import timezone

from consumers import stages
from consumers.models import DesiredState, LagSample
from consumers.supervision import control
from consumers.supervision.status import ProcessStatus, StageStatus, Status

CHART_PERIOD = timedelta(minutes=30)
WIDTH, HEIGHT = 240, 40
ALLOWED = {
    DesiredState.RUNNING: {"pause", "stop", "scale"},
    DesiredState.PAUSED: {"resume", "stop", "scale"},
    DesiredState.STOPPED: {"start", "scale"},
}


@dataclass(frozen=True, slots=True)
class ShownHalt:
    """A halted partition, why, and what becomes of the batch that waits when it is released."""

    topic: str
    partition: int
    last_offset: int
    text: str
    consequence: str


@dataclass(frozen=True, slots=True)
class Card:
    """One stage; every text is ready to be shown, `points` is the polyline of its recent lag."""

    stage: str
    route: str
    desired: str
    observed: str
    verdict: str
    explanation: str
    lag: str
    reason: str
    group: str
    members: str
    processes: int
    points: str
    peak: str
    allowed: list[str]
    halts: list[ShownHalt]


def cards(status: Status) -> list[dict[str, object]]:
    """Return a card for each stage, as a dict."""
    samples = _recent_lags()
    return [asdict(_card(stage, samples.get(stage.stage, []))) for stage in status.stages]


def _card(stage: StageStatus, lags: list[tuple[float, int]]) -> Card:
    spec = stages.table()[stage.stage]
    wanted = "" if stage.desired_state == DesiredState.STOPPED else f" × {stage.desired_processes}"
    observed = f"{stage.observed_state} × {stage.alive}" if stage.alive else str(stage.observed_state)
    allowed = ALLOWED[stage.desired_state]
    return Card(
        stage=stage.stage,
        route=spec.route,
        desired=f"{stage.desired_state}{wanted}",
        observed=observed,
        verdict=stage.verdict,
        explanation=stage.explanation,
        lag="?" if stage.lag is None else f"{stage.lag:,}",
        reason="" if stage.halts else stage.reason,
        group=_group(stage) if stage.group else spec.without_group,
        members="\n".join(_member(process) for process in stage.processes) or "no process",
        processes=stage.desired_processes,
        points=points(lags),
        peak=f"{max((lag for _, lag in lags), default=0):,}",
        allowed=[action for action in control.ACTIONS if action in allowed],
        halts=[
            ShownHalt(each.topic, each.partition, each.last_offset, str(each), control.consequence(each))
            for each in stage.halts
        ],
    )


def _group(stage: StageStatus) -> str:
    if stage.view.state is None:
        return f"{stage.group}: Kafka does not tell"
    members = ", ".join(f"{member.name} ({len(member.partitions)} partitions)" for member in stage.view.members)
    return f"{stage.group}: {stage.view.state.lower()}{': ' + members if members else ''}"


def _member(process: ProcessStatus) -> str:
    state = process.state if process.alive else f"silent for {process.silent_seconds:,.0f} s"
    return (
        f"#{process.slot} {process.host}, pid {process.pid}: {state}, {process.partitions} partitions, "
        f"{process.processed:,} processed, {process.dead_letters:,} rejected"
    )


def _recent_lags() -> dict[str, list[tuple[float, int]]]:
    """Stage → (age as a fraction of CHART_PERIOD, lag), oldest first; unknown lags leave a gap."""
    now = timezone.now()
    rows = LagSample.objects.filter(at__gt=now - CHART_PERIOD, lag__isnull=False).order_by("at")
    found: dict[str, list[tuple[float, int]]] = {}
    for stage, at, lag in rows.values_list("stage", "at", "lag"):
        found.setdefault(stage, []).append(((now - at) / CHART_PERIOD, lag or 0))
    return found


def points(lags: list[tuple[float, int]]) -> str:
    """An SVG polyline: time from left to right, lag upwards, the peak at the top."""
    peak = max((lag for _, lag in lags), default=0) or 1
    return " ".join(f"{WIDTH * (1 - age):.1f},{HEIGHT - 2 - (HEIGHT - 4) * lag / peak:.1f}" for age, lag in lags)
