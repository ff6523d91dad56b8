"""What this process and those it starts find in their environment during a run of tests. A plugin of pytest."""

import os
import uuid

import hypothesis
import pytest
from django.conf import settings

RUN = f"t{uuid.uuid4().hex[:8]}"
"""Name of this run: of its databases, and before its topics, groups, index and bucket, so that runs share one stack."""

os.environ["AUDIT_PREFIX"] = f"{RUN}-"
os.environ["DATABASE_NAME"] = f"{RUN}_none"
# No test waits for more events, which will not come, before it looks into the archive.
os.environ.setdefault("AUDIT_ARCHIVE_IDLE_SECONDS", "0.2")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auditsite.settings")
# Playwright keeps an event loop in the main thread; the ORM is used from it in tests only.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("without-deadline", deadline=None)
hypothesis.settings.load_profile("without-deadline")


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> None:
    """Logins are made by the dozen: a hash that takes a tenth of a second proves nothing here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
