"""How the processes of the site are started."""

import re
import shlex

import pytest
import uvicorn

from testkit.paths import ROOT

STARTS = re.compile(r"uvicorn (auditsite\.asgi:application[^`\n]*)")


def places() -> list[tuple[str, str]]:
    """Each file that says how to start the site, and uvicorn's arguments there."""
    files = [ROOT / "Procfile", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [
        (str(path.relative_to(ROOT)), arguments)
        for path in files
        for arguments in STARTS.findall(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("place", "arguments"), places())
def test_the_server_leaves_headers_of_proxies_to_the_site(place, arguments):
    words = shlex.split(arguments.replace("$PORT", "8000"))
    assert uvicorn.main.make_context("uvicorn", words).params["proxy_headers"] is False


def test_the_site_is_started_by_the_procfile():
    assert "Procfile" in dict(places())
