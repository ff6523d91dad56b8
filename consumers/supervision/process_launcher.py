"""A consumer process, forked from the supervisor: what that has imported need not be imported again by a process that
must be back soon.

The supervisor has one thread and no client of librdkafka, whose threads and handles would not survive a fork. Its
connections belong to it alone: in the child their descriptors lead nowhere.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import setproctitle
from django.core.management import call_command
from django.db import connections

from consumers import stages

_PR_SET_PDEATHSIG = 1
_ENDINGS = (signal.SIGTERM, signal.SIGINT)


class Place(NamedTuple):
    """One process of a stage; slots count from 1."""

    stage: str
    slot: int


def preload() -> None:
    """Import what all stages need, once for all children. Their memory is shared as long as nobody writes to it."""
    for spec in stages.table().values():
        spec.import_modules()
    gc.collect()
    gc.freeze()


def launch(place: Place) -> BaseProcess:
    """`manage.py run_consumer STAGE --slot N`, out of the terminal's reach, killed by the kernel when this process
    dies.
    """
    process = multiprocessing.get_context("fork").Process(
        target=_run, args=(place, os.getpid()), name=f"{place.stage}-{place.slot}"
    )
    with _endings_held():
        process.start()
    return process


def _run(place: Place, parent: int) -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_DFL)
    _die_with(parent)
    os.setsid()
    _leave_sockets()
    connections.close_all()
    setproctitle.setproctitle(f"manage.py run_consumer {place.stage} --slot {place.slot}")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    call_command("run_consumer", place.stage, slot=place.slot)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def _leave_sockets() -> None:
    """Closing a connection of the supervisor's here would end its session there."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if _is_socket(descriptor):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # that of the listing itself
        return False


@contextmanager
def _endings_held() -> Iterator[None]:
    """A signal to end that comes between the fork and the child's own handlers reaches the child all the same."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
