"""Tables and progress on a command's output."""

from django.core.management.base import OutputWrapper
from rich.console import Console

WIDTH = 160
"""Columns of a table that goes to a file or pipe."""


def console(output: OutputWrapper, *, width: int | None = None) -> Console:
    """Write to a command's output, as wide as the terminal; to a file or pipe, `width` columns or what rich assumes."""
    return Console(
        file=output,  # type: ignore[arg-type]  # it has write, flush and isatty, and rich asks for nothing else
        width=None if output.isatty() else width,
    )
