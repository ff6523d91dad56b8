"""What an admin may ask of a stage. It is written down with who asked, and the supervisor and the stages make it so.

The caller checks the permission: consumers.change_stagecontrol.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import transaction

from consumers import stages
from consumers.models import ControlAction, DesiredState, HaltRelease, StageControl
from consumers.runtime.circuit_breaker import Halt
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.supervision.status import halts_of, processes_by_stage

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class UnknownStage(LookupError):
    """No stage of that name."""


class Refused(ValueError):
    """What was asked makes no sense; the text says why and what would."""


def ensure_controls(using: str = "default") -> None:
    """Add a row for each stage that has none: running, with one process."""
    StageControl.objects.using(using).bulk_create(
        [StageControl(stage=stage) for stage in stages.table()], ignore_conflicts=True
    )


def start(stage: str, user: "User | None") -> None:
    """Run a stage that is stopped."""
    _record(stage, "start", user, desired_state=DesiredState.RUNNING)


def stop(stage: str, user: "User | None") -> None:
    """End all processes of a stage."""
    _record(stage, "stop", user, desired_state=DesiredState.STOPPED)


def pause(stage: str, user: "User | None") -> None:
    """Let the processes of a stage stay members of their group and read nothing."""
    _record(stage, "pause", user, desired_state=DesiredState.PAUSED)


def resume(stage: str, user: "User | None") -> None:
    """Let a paused stage go on."""
    _record(stage, "resume", user, desired_state=DesiredState.RUNNING)


def scale(stage: str, user: "User | None", processes: int) -> None:
    """Run a stage in so many processes. Raises Refused."""
    if not 1 <= processes <= MOST_PROCESSES:
        raise Refused(f"processes={processes}: a stage runs in 1 to {MOST_PROCESSES} processes; to have none, stop it")
    _record(stage, "scale", user, processes=processes)


_OF_A_STAGE: dict[str, "Callable[[str, User | None], None]"] = {
    "start": start,
    "stop": stop,
    "pause": pause,
    "resume": resume,
}
ACTIONS = (*_OF_A_STAGE, "scale")


def perform(action: str, stage: str, user: "User | None", processes: int | None = None) -> None:
    """Carry out one of ACTIONS by its name; `processes` belongs to scale. Raises UnknownStage, Refused."""
    if action not in ACTIONS:
        raise Refused(f"action={action!r} is not one of {', '.join(ACTIONS)}")
    if action != "scale":
        _OF_A_STAGE[action](stage, user)
    elif processes is None:
        raise Refused("processes is missing: say how many processes the stage shall have")
    else:
        scale(stage, user, processes)


def release(stage: str, user: "User | None", topic: str, partition: int, last_offset: int) -> None:
    """Let a halted partition go on: the batch that waits, up to this offset, passes. Raises UnknownStage, Refused."""
    _require_stage(stage)
    halts = halts_of(processes_by_stage("default").get(stage, []))
    wanted = (topic, partition, last_offset)
    halt = next((each for each in halts if (each.topic, each.partition, each.last_offset) == wanted), None)
    if halt is None:
        raise Refused(f"{topic}/{partition} is not halted at a batch that ends with {last_offset}; look again what is")
    with transaction.atomic():
        HaltRelease.objects.create(
            stage=stage, topic_id=halt.topic_id, partition=halt.partition, last_offset=halt.last_offset
        )
        ControlAction.objects.create(stage=stage, action="release", detail=consequence(halt), user=user)


def consequence(halt: Halt) -> str:
    """What becomes of the batch of a halt that is released."""
    return (
        f"{halt.topic}/{halt.partition}, offsets {halt.first_offset} to {halt.last_offset}: {halt.rejected:,} of "
        f"{halt.records:,} messages become dead letters, the others are processed, and counting begins at zero"
    )


def _require_stage(stage: str) -> None:
    if stage not in stages.table():
        raise UnknownStage(f"there is no stage {stage!r}; there are {', '.join(stages.table())}")


def _record(stage: str, action: str, user: "User | None", **wanted: DesiredState | int) -> None:
    _require_stage(stage)
    with transaction.atomic():
        control = StageControl.objects.select_for_update().get_or_create(stage=stage)[0]
        detail = ", ".join(f"{getattr(control, field)} → {value}" for field, value in wanted.items())
        for field, value in wanted.items():
            setattr(control, field, value)
        control.save()
        ControlAction.objects.create(stage=stage, action=action, detail=detail, user=user)
