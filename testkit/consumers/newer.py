"""run_consumer as a later release would be: with contracts of a folder that have one field more, and filling it.

python -m testkit.consumers.newer FOLDER NAME --slot N
"""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import django

NAME = "reading_minutes"
FIELD = {
    "name": NAME,
    "type": ["null", "int"],
    "default": None,
    "doc": "Time to read the article after the change, in minutes.",
}


def main(folder: str, *arguments: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
    django.setup()
    from django.core.management import call_command

    from audittrail import contracts
    from audittrail.capture import outbox_rows

    contracts._FOLDER = Path(folder)
    contracts._files.cache_clear()
    event_of = outbox_rows.event_of
    with patch.object(outbox_rows, "event_of", lambda row: {**event_of(row), NAME: 4}):
        call_command("run_consumer", *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
