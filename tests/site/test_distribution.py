"""The distribution holds both packages whole, asks for all that they import, and works in a site of ten lines."""

import ast
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from testkit.paths import ROOT

PACKAGES = ("audittrail", "consumers")
SITE = """
SECRET_KEY = "not a secret"
ROOT_URLCONF, urlpatterns = "site_of_ten_lines", []
DATABASES = {alias: {"ENGINE": "django.db.backends.postgresql"} for alias in ("default", "pipeline", "owner")}
DJANGO = [f"django.contrib.{app}" for app in "admin auth contenttypes sessions messages humanize postgres".split()]
INSTALLED_APPS = ["unfold", *DJANGO, "rest_framework", "audittrail", "consumers"]
MIDDLEWARE = [f"django.contrib.{app}Middleware" for app in (
    "sessions.middleware.Session", "auth.middleware.Authentication", "messages.middleware.Message")]
NAMES = ["template.context_processors.request", *(f"contrib.{a}.context_processors.{a}" for a in ("auth", "messages"))]
OPTIONS = {"context_processors": [f"django.{name}" for name in NAMES]}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": OPTIONS}]
""".strip()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The distribution, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    return next(folder.glob("content_audit_trail-*.whl"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder with a site's settings and `.venv`: the wheel, and the libraries of this environment behind it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "site_of_ten_lines.py").write_text(SITE)
    venv.create(folder / ".venv", symlinks=True)
    python = folder / ".venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "--no-deps", "--no-index", wheel],
        check=True,
    )
    installed = next((folder / ".venv").glob("lib/*/site-packages"))
    (installed / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def run(site: Path, *arguments: str) -> str:
    """What Python prints in the site, which sees nothing of this checkout. Raises CalledProcessError."""
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "site_of_ten_lines"}
    python = site / ".venv" / "bin" / "python"
    return subprocess.run(
        [python, *arguments], cwd=site, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_the_site_has_ten_lines():
    assert len(SITE.splitlines()) == 10


def test_the_wheel_holds_every_file_of_both_packages_and_no_other(wheel):
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    here = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == here


@pytest.mark.parametrize("package", PACKAGES)
def test_both_packages_are_imported_from_the_wheel(site, package):
    path = Path(run(site, "-c", f"import django; django.setup(); import {package}; print({package}.__file__)").strip())
    assert path.is_relative_to(site / ".venv")


def test_system_checks_pass_with_ten_lines_of_settings(site):
    assert run(site, "-m", "django", "check", "--fail-level", "ERROR") == ""  # warnings are not printed there


def test_every_library_that_is_imported_is_asked_for(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        asked_for = set(closure(Parser().parsestr(archive.read(name).decode())))
    distributions = metadata.packages_distributions()
    imported = {module for path in modules() for module in imports(path)} - sys.stdlib_module_names - set(PACKAGES)
    assert {
        name for name in imported if not asked_for & {canonicalize_name(d) for d in distributions.get(name, [name])}
    } == set()


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def closure(wheel: Message) -> Iterator[str]:
    """Names of the distributions that come with the wheel, without its extras."""
    waiting = [(Requirement(line), "") for line in wheel.get_all("Requires-Dist", [])]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        if (requirement.marker and not requirement.marker.evaluate({"extra": extra})) or str(requirement) in seen:
            continue
        seen.add(str(requirement))
        yield canonicalize_name(requirement.name)
        asked = metadata.distribution(requirement.name).requires or []
        waiting += [(Requirement(line), extra) for line in asked for extra in ("", *requirement.extras)]
