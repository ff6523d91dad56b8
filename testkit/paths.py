"""Folders that tests and their tools read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""
HISTORY = ROOT.parent / "shared" / "data"
"""Editorial histories to import, where there are any."""
