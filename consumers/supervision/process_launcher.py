"""Starts consumer processes as forks of the supervisor: what that has imported need not be imported again by a process
that must be back soon.

The supervisor has one thread and no client of librdkafka, whose threads and handles would not survive a fork. Its
connections belong to it alone: in the child their descriptors lead nowhere.
"""

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import setproctitle
from django.core.management import call_command
from django.db import connections

from consumers import stages

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_TERMINATION_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ProcessSlot(NamedTuple):
    """A stage and the number of one of its processes, from 1."""

    stage: str
    number: int


def preload() -> None:
    """Import what all stages need, once for all children. Their memory is shared as long as nobody writes to it."""
    for spec in stages.table().values():
        try:
            spec.import_modules()
        except Exception:  # its own processes end with this error; those of the others must not
            log.exception("%s cannot be imported", spec.name)
    gc.collect()
    gc.freeze()


def launch(slot: ProcessSlot) -> BaseProcess:
    """Start `manage.py run_consumer STAGE --slot N`, out of the terminal's reach; the kernel kills it when this process
    dies.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_run, args=(slot, os.getpid()), name=f"{slot.stage}-{slot.number}"
    )
    with _termination_signals_blocked():
        process.start()
    return process


def _run(slot: ProcessSlot, parent: int) -> None:
    for number in _TERMINATION_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _die_with_parent(parent)
    os.setsid()
    _detach_inherited_sockets()
    connections.close_all()
    setproctitle.setproctitle(f"manage.py run_consumer {slot.stage} --slot {slot.number}")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION_SIGNALS)
    call_command("run_consumer", slot.stage, slot=slot.number)


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def _detach_inherited_sockets() -> None:
    """Let the descriptors of the supervisor's connections lead nowhere: closing a connection here would end its session
    there.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if _is_socket(descriptor):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # that of the listing itself
        return False


@contextmanager
def _termination_signals_blocked() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back over a fork: the child gets those that come before it has handlers of its own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION_SIGNALS)
