"""Starting and ending services."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from stack import cache, checks, packages, places, processes
from stack.errors import StackError
from stack.processes import Process
from stack.services.service import Service

READY_WITHIN = 180  # seconds
STOPPED_WITHIN = 40
COLLECTED_WITHIN = 5
POLL = 0.2

Report = Callable[[Service, str], None]


def start(services: Sequence[Service], report: Report, announce: Callable[[str], None]) -> None:
    """Start what does not run, all at the same time; return when everything answers. Raises StackError."""
    absent = [service for service in services if not running(service)]
    checks.check_ports(absent)
    checks.check_memory(absent)
    _install(absent, announce)
    interrupted = threading.Event()

    def interruptible(service: Service, text: str) -> None:
        if interrupted.is_set():
            raise Interrupted
        report(service, text)

    with ThreadPoolExecutor(len(services)) as pool:
        try:
            futures = _submit(pool, services, interruptible)
            wait(futures)
        except KeyboardInterrupt:
            interrupted.set()
            raise
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        raise _first(errors)


def fetch(services: Sequence[Service], report: Report, announce: Callable[[str], None]) -> None:
    """Bring the programs of services onto the machine: Debian packages and downloads. Needs none of Python's packages.
    Raises StackError.
    """
    _install(services, announce)
    for service in services:
        if service.download:
            cache.fetched(service.download, partial(report, service))
        report(service, "fetched")


def stop(services: Sequence[Service], report: Report) -> None:
    """End services in good order, all at the same time; SIGKILL for what does not end in time."""
    with ThreadPoolExecutor(len(services)) as pool:
        for _ in pool.map(lambda service: _end(service, service.stop_signal, report), services):
            pass


def kill(services: Sequence[Service], report: Report) -> None:
    """End services as a power cut would: SIGKILL, at once, with no chance to tidy up."""
    with ThreadPoolExecutor(len(services)) as pool:
        for _ in pool.map(lambda service: _end(service, signal.SIGKILL, report), services):
            pass


def running(service: Service) -> Process | None:
    """The process of a service, if it lives."""
    return processes.recall(service.pid_file)


def _install(services: Sequence[Service], announce: Callable[[str], None]) -> None:
    packages.install(sorted({package for service in services for package in service.packages}), announce)


def _submit(pool: ThreadPoolExecutor, services: Sequence[Service], report: Report) -> list[Future[None]]:
    started: dict[str, Future[None]] = {}
    for service in sorted(services, key=lambda service: len(service.needs)):
        needed = [started[need] for need in service.needs if need in started]
        started[service.label] = pool.submit(_start, service, needed, report)
    return list(started.values())


def _first(errors: list[BaseException]) -> BaseException:
    """The error to show: a cause rather than what followed from it."""
    return next((error for error in errors if not isinstance(error, Unmet)), errors[0])


class Interrupted(Exception):
    """The user gave up waiting."""


class Unmet(StackError):
    """A service was not started because one it needs was not."""


def _start(service: Service, needed: Sequence[Future[None]], report: Report) -> None:
    try:
        service.fetch(lambda text: report(service, text))
        if any(future.exception() for future in needed):
            raise Unmet(f"{service.label} needs {', '.join(service.needs)}, which did not start.", "repair that first.")
        if not running(service):
            report(service, "starting")
            _launch(service)
        _await(service, report)
        report(service, "ready")
    except StackError:
        report(service, "failed")
        raise


def _launch(service: Service) -> None:
    places.own(service.stack.directory)
    service.pid_file.parent.mkdir(exist_ok=True)
    try:
        service.prepare()
    except subprocess.CalledProcessError as error:
        raise StackError(
            f"{service.label} could not be prepared: {error.output.strip()[-800:]}", _read(service)
        ) from error
    service.log.parent.mkdir(exist_ok=True)
    child = processes.spawn(service.command(), service.environment(), service.directory, service.log)
    process = processes.identify(child.pid)
    if service.daemon_pid_file:
        process = _daemon(service, service.daemon_pid_file, child)
    if process:
        processes.record(process, service.pid_file)


def _daemon(service: Service, pid_file: Path, launcher: subprocess.Popen[bytes]) -> Process | None:
    """The process that a launcher leaves behind."""
    try:
        if launcher.wait(READY_WITHIN):
            raise _failed(service)
    except subprocess.TimeoutExpired:
        launcher.kill()
        raise _late(service) from None
    return processes.identify(int(pid_file.read_text()))


def _await(service: Service, report: Report) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not service.is_ready():
        report(service, "starting")
        if not running(service):
            raise _failed(service)
        if time.monotonic() > deadline:
            raise _late(service)
        time.sleep(POLL)
    service.complete()


def _late(service: Service) -> StackError:
    return StackError(f"{service.label} did not answer within {READY_WITHIN} s.", _read(service))


def _failed(service: Service) -> StackError:
    lines = service.log.read_text(errors="replace").splitlines()[-12:]
    return StackError("\n    ".join([f"{service.label} ended while starting:", *lines]), _read(service))


def _read(service: Service) -> str:
    return f"read the log: {service.log}"


def _end(service: Service, number: signal.Signals, report: Report) -> None:
    process = running(service)
    if process:
        report(service, "killing" if number == signal.SIGKILL else "stopping")
        # Children that outlive a killed parent would still hold its ports and files.
        family = [process, *process.descendants()]
        for member in family if number == signal.SIGKILL else [process]:
            member.signal(number)
        if not process.wait(STOPPED_WITHIN):
            report(service, f"did not end within {STOPPED_WITHIN} s: killing")
        for member in family:
            member.signal(signal.SIGKILL)
            member.wait(STOPPED_WITHIN)
            member.vanish(COLLECTED_WITHIN)
    service.pid_file.unlink(missing_ok=True)
    report(service, "stopped")
