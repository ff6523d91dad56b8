"""A process's report on itself in the database, and what an admin wants of its stage: both about once a second.

In a thread of its own, with its own connection: the loop never waits for PostgreSQL because of it.
"""

import logging
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from django.db import Error, connections
from django.utils import timezone

from consumers.models import DesiredState, HaltRelease, Member, ProcessState, StageControl
from consumers.records import Partition
from consumers.runtime.circuit_breaker import Halt

log = logging.getLogger("consumers.runtime.heartbeat")

INTERVAL_SECONDS = 1.0
FIRST_BEAT_SECONDS = 5.0
DATABASE = "pipeline"


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What a process says of itself; `processed` and `dead_letters` count records since its start."""

    state: ProcessState = ProcessState.STARTING
    reason: str = ""
    partitions: list[Partition] = field(default_factory=list)
    processed: int = 0
    dead_letters: int = 0
    halts: Sequence[Halt] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """What is wanted of the stage, running until an admin asks for something else; and which halts were released, as
    the last offset that may pass by a topic's id and partition.
    """

    desired: str = DesiredState.RUNNING
    releases: Mapping[tuple[str, int], int] = field(default_factory=dict)


class ControlChannel(Protocol):
    """Where a process writes its report and reads what is wanted of its stage."""

    report: ProcessReport
    control: Control

    def begin(self) -> None:
        """Read the first control, as far as that succeeds soon."""

    def end(self, report: ProcessReport, timeout: float) -> None:
        """Write a last report within `timeout` seconds, as far as that succeeds."""


class Heartbeat(threading.Thread):
    """Writes `report` to the member's row and reads `control`; either may be old while PostgreSQL is away."""

    def __init__(self, stage: str, slot: int):
        super().__init__(name=f"heartbeat-{stage}-{slot}", daemon=True)
        self.report = ProcessReport()
        self.control = Control()
        self._stage, self._slot = stage, slot
        self._started_at = timezone.now()
        self._beaten = threading.Event()
        self._end = threading.Event()
        self._away = False

    def begin(self) -> None:
        """Start, and wait until the first beat has succeeded or failed, for FIRST_BEAT_SECONDS at most."""
        self.start()
        self._beaten.wait(FIRST_BEAT_SECONDS)

    def run(self) -> None:
        while not self._end.is_set():
            self._beat()
            self._beaten.set()
            self._end.wait(INTERVAL_SECONDS)
        self._beat()
        connections[DATABASE].close()

    def end(self, report: ProcessReport, timeout: float) -> None:
        """Write a last report, if PostgreSQL takes it within `timeout` seconds."""
        self.report = report
        self._end.set()
        self.join(timeout)

    def _beat(self) -> None:
        try:
            self._write(self.report)
            self._read_control()
            self._away = False
        except Error as error:
            connections[DATABASE].close()
            if not self._away:
                log.warning("No sign of life can be given, PostgreSQL is away: %s", error)
            self._away = True

    def _write(self, report: ProcessReport) -> None:
        row = Member(
            stage=self._stage,
            slot=self._slot,
            host=socket.gethostname(),
            pid=os.getpid(),
            state=report.state,
            reason=report.reason,
            partitions=sorted(report.partitions),
            processed=report.processed,
            dead_letters=report.dead_letters,
            halts=[asdict(halt) for halt in report.halts],
            started_at=self._started_at,
            beat_at=timezone.now(),
        )
        names = [f.name for f in Member._meta.fields if f.name not in ("id", "stage", "slot")]
        Member.objects.using(DATABASE).bulk_create(
            [row], update_conflicts=True, unique_fields=["stage", "slot"], update_fields=names
        )

    def _read_control(self) -> None:
        row = StageControl.objects.using(DATABASE).filter(stage=self._stage).first()
        desired = row.desired_state if row else DesiredState.RUNNING
        self.control = Control(desired, self._releases() if self.report.halts else {})

    def _releases(self) -> dict[tuple[str, int], int]:
        rows = HaltRelease.objects.using(DATABASE).filter(stage=self._stage).order_by("last_offset")
        return {(row.topic_id, row.partition): row.last_offset for row in rows}
