"""What the user sees: progress while services start, and the table of their state.

Rich output on a terminal; plain lines elsewhere, or where rich is not installed.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from stack import lifecycle
from stack.services.service import Service

COLUMNS = ("service", "address", "pid", "memory", "version", "health")

try:
    import rich.console
    import rich.progress
    import rich.table
except ImportError:
    HAS_RICH = False
else:
    HAS_RICH = True


def announce(text: str) -> None:
    """One line about what happens."""
    print(text, flush=True)


@contextlib.contextmanager
def progress(services: Sequence[Service]) -> Iterator[Callable[[Service, str], None]]:
    """Gives a function that shows what a service does now."""
    if HAS_RICH and sys.stdout.isatty():
        with _bars() as bars:
            tasks = {service.label: bars.add_task(service.label, state="waiting") for service in services}
            yield lambda service, text: bars.update(tasks[service.label], state=text)
    else:
        yield _plain(time.monotonic())


def status(services: Sequence[Service]) -> bool:
    """Show the table of the services; whether all of them are well."""
    with ThreadPoolExecutor(len(services)) as pool:
        rows = list(pool.map(_row, services))
    (_rich_table if HAS_RICH and sys.stdout.isatty() else _plain_table)(rows)
    return all(row[-1] == "ready" for row in rows)


def _bars() -> "rich.progress.Progress":
    return rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.description:<14}"),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("{task.fields[state]}"),
    )


def _plain(begin: float) -> Callable[[Service, str], None]:
    """Lines for a log: each new state once, and the amount within it (after a comma) every ten seconds."""
    lock = threading.Lock()
    shown: dict[str, tuple[str, int]] = {}

    def report(service: Service, text: str) -> None:
        state = text.partition(",")[0], int(time.monotonic() - begin) // 10 if "," in text else 0
        with lock:
            if shown.get(service.label) != state:
                shown[service.label] = state
                print(f"{time.monotonic() - begin:5.1f} s  {service.label:<14} {text}", flush=True)

    return report


def _row(service: Service) -> tuple[str, ...]:
    process = lifecycle.running(service)
    if not process:
        return service.label, service.address, "", "", "", "stopped"
    health = "ready" if service.is_ready() else "not answering"
    return service.label, service.address, str(process.pid), f"{process.memory() // 2**20} MB", service.version, health


def _rich_table(rows: Sequence[Sequence[str]]) -> None:
    table = rich.table.Table(*COLUMNS)
    for *cells, health in rows:
        colour = "green" if health == "ready" else "red"
        table.add_row(*cells, f"[{colour}]{health}")
    rich.console.Console().print(table)


def _plain_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    for row in [COLUMNS, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
