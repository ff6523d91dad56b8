"""Where the stack keeps its files, and the user its services run as.

Downloads are cached per user; data, logs and pids lie in a folder per stack; neither is in the checkout.
PostgreSQL and Elasticsearch refuse root: started by root, every service runs as `nobody`, who cannot
reach /root, and the folders are then /var/cache and /var/lib. XDG_CACHE_HOME and XDG_STATE_HOME win.
"""

import os
import pwd
import re
from pathlib import Path

from stack.errors import StackError

FOLDER = "audit-trail-stack"
ROOT = os.geteuid() == 0
SERVICE_USER = "nobody"


def cache() -> Path:
    """Folder of the verified, unpacked downloads, shared by all stacks and checkouts of this user."""
    default = Path("/var/cache") if ROOT else Path.home() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or default) / FOLDER


def state(name: str) -> Path:
    """Folder of one stack's configuration, data, logs and pids."""
    default = Path("/var/lib") if ROOT else Path.home() / ".local" / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or default) / FOLDER / name


def stack_name() -> str:
    """The stack chosen by STACK (default `dev`). Raises StackError for a name that cannot be a folder."""
    name = os.environ.get("STACK") or "dev"
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise StackError(
            f"STACK={name!r} is not a stack name.",
            "use lower-case letters, digits and dashes, starting with a letter.",
        )
    return name


def own(directory: Path, mode: int = 0o755) -> Path:
    """Make a folder that the services may write, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(mode)
    if ROOT:
        account = pwd.getpwnam(SERVICE_USER)
        os.chown(directory, account.pw_uid, account.pw_gid)
    return directory
