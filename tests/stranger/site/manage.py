"""`python tests/stranger/site/manage.py COMMAND`, with the repository's folder on PYTHONPATH."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.stranger.site.settings")
    execute_from_command_line(sys.argv)
