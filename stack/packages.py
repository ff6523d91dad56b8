"""Debian packages: installed where we may, else the command that installs them is the remedy.

`python -m stack.packages kcat chromium pgbouncer` does it for programs that only the tests use.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from stack import places
from stack.errors import StackError

COMMANDS = {
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "redis-server": "redis-server",
    "default-jre-headless": "java",
    "maven": "mvn",
    "kcat": "kcat",
    "pgbouncer": "/usr/sbin/pgbouncer",
    "chromium": "chromium",
}


def missing(packages: Iterable[str]) -> list[str]:
    """Those of the packages whose command is not there."""
    return [package for package in packages if not _present(COMMANDS[package])]


def install(packages: Iterable[str], announce: Callable[[str], None]) -> None:
    """Install what is missing. Raises StackError with the exact command if it may or can not."""
    absent = missing(packages)
    if not absent:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *absent]
    by_hand = f"sudo apt-get update && sudo {' '.join(command)}"
    prefix = _privilege()
    if prefix is None or not shutil.which("apt-get"):
        raise StackError(f"Missing Debian packages: {', '.join(absent)}.", f"run `{by_hand}`.")
    announce(f"Installing Debian packages: {', '.join(absent)}")
    _apt([*prefix, "apt-get", "update"], by_hand)
    _apt([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command], by_hand)


def _present(command: str) -> bool:
    if command.startswith("/"):
        return any(Path("/").glob(command.removeprefix("/")))
    return shutil.which(command) is not None


def _privilege() -> list[str] | None:
    """What to put before a command to run it as root; None if there is no way without a password."""
    if places.ROOT:
        return []
    if not shutil.which("sudo"):
        return None
    refused = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode
    return None if refused else ["sudo", "-n"]


def _apt(command: list[str], by_hand: str) -> None:
    # Debian starts what it installs; a runlevel of single-user mode tells it not to.
    environment = {**os.environ, "RUNLEVEL": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        problem = f"`{' '.join(command)}` failed: {result.stderr.strip()[-500:]}"
        raise StackError(problem, f"run `{by_hand}` and read what it says.")


if __name__ == "__main__":
    try:
        install(sys.argv[1:], print)
    except StackError as error:
        sys.exit(f"Error: {error}")
