"""Digests of the events in archive objects, which is half the work of a verification: for a long trail in a process
beside it.

That process gets the content of one object after the other, pickled, and answers each
with its digests, or with what is wrong with it. It opens nothing: neither database nor object store.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from audittrail.archive import format
from audittrail.integrity import fingerprints

PROJECT = Path(__file__).resolve().parents[2]


class Unreadable(ValueError):
    """An object that is not what the archive writes."""


class Died(RuntimeError):
    """The process beside has ended, killed or out of memory."""


class Archived(NamedTuple):
    """One event of an object: which it is, its fingerprint, and the hash it states."""

    article_id: str
    sequence: int
    fingerprint: bytes
    hash: bytes


Digester = Callable[[bytes], list[Archived]]
"""Content of an object → its events. Raises Unreadable."""


def here(content: bytes) -> list[Archived]:
    """In this process."""
    try:
        events = format.events(format.from_parquet(content))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return [
        Archived(event["article_id"], event["sequence"], fingerprints.of_event(event), event["hash"])
        for event in events
    ]


@contextmanager
def beside() -> Iterator[Digester]:
    """In a process of their own, which starts in half a second and ends with the block. The digester raises Died,
    too.
    """
    command = [sys.executable, "-c", f"from {__name__} import answer_all; answer_all()"]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def digested(content: bytes) -> list[Archived]:
            try:
                pickle.dump(content, process.stdin)
                process.stdin.flush()
                answer = pickle.load(process.stdout)
            except (BrokenPipeError, EOFError) as error:
                raise Died(
                    "The process that reads archive objects has ended: of these nothing is verified. Run it again."
                ) from error
            if isinstance(answer, Unreadable):
                raise answer
            return answer

        try:
            yield digested
        finally:
            process.communicate()


def answer_all() -> None:
    """What the process beside does, until its input ends."""
    while True:
        try:
            content = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = here(content)
        except Unreadable as error:
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
