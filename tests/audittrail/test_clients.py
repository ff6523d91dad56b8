"""Each service has one module that talks to its client, so that its errors are translated in one place."""

import re

import pytest

from testkit.paths import ROOT

PACKAGES = ("audittrail", "consumers", "newsroom")


def importers(client):
    """Modules of the installed packages with a statement that imports a client, or from it."""
    statement = re.compile(rf"^\s*(?:from|import) (?:{client})\b", re.MULTILINE)
    modules = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)) for path in modules if statement.search(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("client", "owners"),
    [
        ("boto3|botocore|storages", {"audittrail/archive/object_storage.py"}),
        # The mapping is written in the words of its DSL.
        ("elasticsearch", {"audittrail/search/index.py", "audittrail/search/documents.py"}),
    ],
)
def test_only_the_owner_of_a_service_imports_its_client(client, owners):
    assert importers(client) == owners
