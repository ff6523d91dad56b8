"""Digests of the events in archive objects, which is half the work of a verification: for a long trail in a subprocess.

The subprocess gets the content of one object after the other, pickled, and answers each with its digests, or with what
is wrong with it. It opens nothing: neither database nor object store.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from audittrail.archive import format
from audittrail.integrity.fingerprints import EventDigest

PROJECT = Path(__file__).resolve().parents[2]


class Unreadable(ValueError):
    """An object that is not what the archive writes."""


class SubprocessDied(RuntimeError):
    """The subprocess has ended, killed or out of memory."""


Digester = Callable[[bytes], list[EventDigest]]
"""Content of an object → its events. Raises Unreadable."""


def digest_in_process(content: bytes) -> list[EventDigest]:
    """The Digester that works in this process."""
    try:
        events = format.events(format.from_parquet(content))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return [EventDigest.of(event) for event in events]


@contextmanager
def digest_in_subprocess() -> Iterator[Digester]:
    """A Digester that works in a subprocess, which starts in half a second and ends with the block. The digester raises
    SubprocessDied, too.
    """
    command = [sys.executable, "-c", f"from {__name__} import answer_all; answer_all()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe) as process:  # noqa: S603  of this module

        def digest(content: bytes) -> list[EventDigest]:
            return _asked(process, content)

        try:
            yield digest
        finally:
            process.communicate()


def _asked(process: subprocess.Popen[bytes], content: bytes) -> list[EventDigest]:
    assert process.stdin and process.stdout, "both were made pipes"  # noqa: S101  so the types say
    try:
        pickle.dump(content, process.stdin)
        process.stdin.flush()
        answer: list[EventDigest] | Unreadable = pickle.load(process.stdout)  # noqa: S301  written by answer_all
    except (BrokenPipeError, EOFError) as error:
        raise SubprocessDied(
            "The process that reads archive objects has ended: of these nothing is verified. Run it again."
        ) from error
    if isinstance(answer, Unreadable):
        raise answer
    return answer


def answer_all() -> None:
    """What the subprocess does, until its input ends."""
    while True:
        try:
            content = pickle.load(sys.stdin.buffer)  # noqa: S301  written by _asked
        except EOFError:
            return
        answer: list[EventDigest] | Unreadable
        try:
            answer = digest_in_process(content)
        except Unreadable as error:
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
