"""The processes under fire: the supervisor with every stage, behind proxies, and a newsroom at work."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from stack import endpoints, places, processes
from stack.processes import Process
from testkit.faults.proxy import Proxies, Proxy
from testkit.faults.trail import Trail
from testkit.paths import ROOT

ENDS_WITHIN = 40


def proxies(trail: Trail) -> dict[str, list[Proxy]]:
    """A proxy before each service, three before Kafka."""
    addresses = trail.addresses
    base = endpoints.base_port(places.stack_name())
    brokers = range(1, len(addresses.kafka_bootstrap.split(",")) + 1)
    return {
        "kafka": [
            Proxy(
                f"kafka-{node}",
                (endpoints.HOST, base + endpoints.BEHIND_PROXY + node),
                base + endpoints.PROXY + node,
                frames=True,
            )
            for node in brokers
        ],
        "elasticsearch": [Proxy("elasticsearch", _place(addresses.elasticsearch_url))],
        "registry": [Proxy("registry", _place(addresses.registry_url))],
        "s3": [Proxy("s3", _place(addresses.s3_url))],
        "postgres": [Proxy("postgres", addresses.postgres)],
        "redis": [Proxy("redis", _place(addresses.redis_url))],
    }


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname and parts.port, url
    return parts.hostname, parts.port


def through(proxies: dict[str, list[Proxy]]) -> dict[str, str]:
    """Settings that lead the stages to the proxies. Call it when these listen."""
    ports = {name: [f"{endpoints.HOST}:{proxy.port}" for proxy in those] for name, those in proxies.items()}
    host, port = ports["postgres"][0].split(":")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": ",".join(ports["kafka"]),
        "ELASTICSEARCH_URL": f"http://{ports['elasticsearch'][0]}",
        "SCHEMA_REGISTRY_URL": f"http://{ports['registry'][0]}/apis/ccompat/v7",
        "S3_ENDPOINT_URL": f"http://{ports['s3'][0]}",
        "REDIS_URL": f"redis://{ports['redis'][0]}/0",
        "DATABASE_HOST": host,
        "DATABASE_PORT": port,
    }


class Pipeline:
    """The supervisor, started anew whenever it ends, as an init system would."""

    RESTART_SECONDS = 1.0

    def __init__(self, environment: dict[str, str], log: Path):
        self._environment, self._log = environment, log
        self._stopping = threading.Event()
        self._process: subprocess.Popen | None = None
        self._thread = threading.Thread(target=self._keep, name="supervision")

    def __enter__(self) -> "Pipeline":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stopping.set()
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        self._thread.join(ENDS_WITHIN)

    @property
    def environment(self) -> dict[str, str]:
        return self._environment

    def process(self, name: str) -> Process | None:
        """The process of a stage, or the supervisor's, if it lives."""
        supervisor = processes.identify(self._process.pid) if self._process else None
        if name == "supervisor" or supervisor is None:
            return supervisor
        return next((child for child in supervisor.descendants() if _stage(child) == name), None)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "manage.py", "run_consumers"],
                    cwd=ROOT,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
            while self._process.poll() is None:
                time.sleep(0.1)
            self._stopping.wait(self.RESTART_SECONDS)


def _stage(process: Process) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process.pid}/cmdline").read_text().replace("\0", " ").split()
        if "run_consumer" in words:
            return words[words.index("run_consumer") + 1]
    return ""


@contextlib.contextmanager
def stage(pipeline: Pipeline, name: str, log: Path) -> Iterator[subprocess.Popen]:
    """A second process in the slot of a stage's; killed at the end."""
    command = [sys.executable, "manage.py", "run_consumer", name, "--slot", "1"]
    with log.open("ab") as output:
        rival = subprocess.Popen(command, cwd=ROOT, env=pipeline.environment, stdout=output, stderr=output)
    try:
        yield rival
    finally:
        rival.kill()
        rival.wait()


@contextlib.contextmanager
def newsroom(
    environment: dict[str, str], ledger: Path, log: Path, *, rate: float, seed: int
) -> Iterator[subprocess.Popen]:
    """A newsroom at work, ended in order."""
    command = [sys.executable, "-m", "testkit.faults.newsroom", str(ledger), "--rate", str(rate), "--seed", str(seed)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(ENDS_WITHIN) == 0, f"the newsroom failed: see {log}"


@contextlib.contextmanager
def listening(those: dict[str, list[Proxy]]) -> Iterator[Proxies]:
    with Proxies([proxy for some in those.values() for proxy in some]) as running:
        yield running
