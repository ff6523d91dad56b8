"""Doing to the system what a schedule says."""

import contextlib
import json
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from stack import fleet, lifecycle, places
from stack.processes import Process
from stack.services.service import Service
from testkit.faults import schedule
from testkit.faults.pipeline import Pipeline, stage
from testkit.faults.proxy import API_KEYS, Proxies, Proxy, changed
from testkit.faults.schedule import Fault
from testkit.faults.trail import Trail

log = logging.getLogger("faults")

DELAYS = 0.2
"""Seconds by which a slow network delays each piece of traffic."""
CHANGES: dict[str, dict[str, Any]] = {"cut": {"shut": True}, "hold": {"held": True}, "delay": {"delay": DELAYS}}
"""Kind of fault → what changes in a proxy meanwhile."""
TAKES_OVER_WITHIN = 20

_AT_WORK = "SELECT 1 FROM consumers_member WHERE pid = %s AND state = 'running' AND processed > 0"


class Injector:
    """Carries out faults, one of each lane at a time; counts them in `done`."""

    def __init__(
        self, trail: Trail, pipeline: Pipeline, proxies: dict[str, list[Proxy]], listening: Proxies, log: Path
    ):
        self._trail, self._pipeline, self._proxies, self._listening, self._log = (
            trail,
            pipeline,
            proxies,
            listening,
            log,
        )
        self._stack = fleet.load(places.stack_name())
        self.done: Counter[tuple[str, str]] = Counter()
        self.failures: list[BaseException] = []

    def run(self, seed: int, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Inject the schedule of a seed for so long, or until `enough`; every service runs again when this returns."""
        ends = time.monotonic() + seconds

        def lane(kinds: schedule.Kinds, number: int) -> None:
            faults = schedule.lane(kinds, seed * len(schedule.LANES) + number)
            for fault in takewhile(lambda _: time.monotonic() < ends and not enough(), faults):
                self._inject(fault)

        def guarded(*arguments) -> None:
            try:
                lane(*arguments)
            except BaseException as error:
                self.failures.append(error)

        lanes = [threading.Thread(target=guarded, args=(kinds, number)) for number, kinds in enumerate(schedule.LANES)]
        for each in lanes:
            each.start()
        for each in lanes:
            each.join()
        lifecycle.start(fleet.services(self._stack), _quietly, _quietly)
        if self.failures:
            raise self.failures[0]

    def _inject(self, fault: Fault) -> None:
        log.info("%s %s for %s s", fault.kind, fault.target, fault.seconds)
        with self._under(fault):
            time.sleep(fault.seconds)
        self.done[fault.kind, fault.target] += 1
        time.sleep(fault.rest)

    def _under(self, fault: Fault) -> contextlib.AbstractContextManager:
        if fault.target in API_KEYS:
            return self._losing(API_KEYS[fault.target], cutting=fault.kind != "lose replies")
        if fault.kind in schedule.BETWEEN:
            return self._network(fault.kind, self._proxies[fault.target])
        if fault.target in schedule.OURS["kill"]:
            return self._ours(fault.kind, fault.target)
        return self._services(fault.kind, self._chosen(fault.target))

    # Our own processes

    @contextlib.contextmanager
    def _ours(self, kind: str, name: str) -> Iterator[None]:
        process = self._pipeline.process(name)
        if process is None:  # just being restarted
            yield
        elif kind == "freeze":
            with _frozen(process):
                yield
        elif kind == "zombie":
            with _frozen(process), stage(self._pipeline, name, self._log) as rival:
                self._await_work_of(rival.pid)
                yield
                process.signal(signal.SIGCONT)
                time.sleep(1)
        else:
            process.signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            yield

    def _await_work_of(self, pid: int) -> None:
        """Until the successor has taken over: a zombie that thaws before that is none. Other faults may keep it from
        that.
        """
        deadline = time.monotonic() + TAKES_OVER_WITHIN
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error), psycopg.connect(**self._trail.superuser) as connection:
                if connection.execute(_AT_WORK, [pid]).fetchone():
                    return
            time.sleep(0.2)

    # Services

    def _chosen(self, target: str) -> list[Service]:
        nodes = {"leading broker": self._leader, "controller": self._controller}
        if target in nodes:
            return fleet.select(self._stack, ["kafka"], nodes[target]())
        return fleet.select(self._stack, ["kafka" if target == "all brokers" else target])

    def _leader(self) -> int:
        """The broker that leads most of the raw topic's partitions."""
        admin = AdminClient({"bootstrap.servers": self._trail.addresses.kafka_bootstrap})
        partitions = admin.list_topics(self._trail.raw, timeout=20).topics[self._trail.raw].partitions.values()
        return Counter(partition.leader for partition in partitions if partition.leader > 0).most_common(1)[0][0]

    def _controller(self) -> int:
        """The leader of the controllers' quorum, as they have written it down."""
        state = fleet.select(self._stack, ["kafka"], 1)[0].directory / "data" / "__cluster_metadata-0" / "quorum-state"
        return max(1, json.loads(state.read_text())["leaderId"])

    @contextlib.contextmanager
    def _services(self, kind: str, services: list[Service]) -> Iterator[None]:
        if kind == "freeze":
            with contextlib.ExitStack() as frozen:
                for process in filter(None, map(lifecycle.running, services)):
                    for member in [process, *process.descendants()]:
                        frozen.enter_context(_frozen(member))
                yield
            return
        (lifecycle.kill if kind == "kill" else lifecycle.stop)(services, _quietly)
        try:
            yield
        finally:
            lifecycle.start(services, _quietly, _quietly)

    # The way between

    @contextlib.contextmanager
    def _network(self, kind: str, those: list[Proxy]) -> Iterator[None]:
        values = CHANGES[kind]
        with contextlib.ExitStack() as changes:
            for proxy in those:
                changes.enter_context(changed(proxy, **values))
                if kind == "cut":
                    self._listening.hang_up(proxy)
            yield

    @contextlib.contextmanager
    def _losing(self, key: int, cutting: bool) -> Iterator[None]:
        with contextlib.ExitStack() as changes:
            for proxy in self._proxies["kafka"]:
                changes.enter_context(changed(proxy, swallowed={key}, cutting=cutting))
            yield


@contextlib.contextmanager
def _frozen(process: Process) -> Iterator[None]:
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def _quietly(*_) -> None:
    pass
