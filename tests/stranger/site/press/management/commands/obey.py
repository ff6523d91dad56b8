"""A session of the site, as a shell is, for a program to lead."""

import json
import sys
import traceback
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Runs statements of Python, one JSON text a line, in one namespace; answers each with a JSON line: what `answer`
    is then, or the traceback of what failed.
    """

    def handle(self, **_: Any) -> None:
        namespace: dict[str, Any] = {}
        for line in sys.stdin:
            namespace["answer"] = failure = None
            try:
                exec(json.loads(line), namespace)
            except Exception:
                failure = traceback.format_exc()
            print(json.dumps({"answer": namespace["answer"], "failure": failure}, default=str), flush=True)
