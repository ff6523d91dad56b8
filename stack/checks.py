"""What must hold before services are started: free ports and enough memory."""

import socket
from collections.abc import Sequence
from pathlib import Path

from stack.endpoints import HOST
from stack.errors import StackError
from stack.services.service import Service

LISTENING = "0A"  # the state of a socket in /proc/net/tcp


def check_ports(services: Sequence[Service]) -> None:
    """Raise StackError if a port one of the services needs is taken, naming its holder where it can be seen."""
    for service in services:
        for port in service.ports:
            if not is_free(port):
                raise StackError(
                    f"Port {port}, needed by {service.label}, is in use{_by(port)}.",
                    "stop that program, or choose other ports with STACK_PORT_BASE or another stack with STACK.",
                )


def check_memory(services: Sequence[Service]) -> None:
    """Raise StackError if the services will not fit into the memory that is available."""
    needed = sum(service.megabytes for service in services)
    available = available_megabytes()
    if needed > available:
        raise StackError(
            f"Too little memory: {needed} MB are needed, {available} MB are available.",
            "end other programs, or start fewer services (`--brokers 1`, or name those you need).",
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
            return True
        except OSError:
            return False


def available_megabytes() -> int:
    """Memory that programs may still take without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("/proc/meminfo has no MemAvailable")


def holder(port: int) -> int | None:
    """Pid of the process that listens on a port, if we may see it."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return int(link.parts[2])
    return None


def _listening_inodes(port: int) -> set[str]:
    lines = [line.split() for table in ("tcp", "tcp6") for line in _table(table)]
    return {fields[9] for fields in lines if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port}


def _table(name: str) -> list[str]:
    path = Path("/proc/net") / name
    return path.read_text().splitlines()[1:] if path.exists() else []


def _by(port: int) -> str:
    pid = holder(port)
    if pid is None:
        return ""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return f" by process {pid} ({command[:80]})"
