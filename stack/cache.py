"""The verified downloads: fetched once per user, then used by every stack and checkout.

A folder in the cache exists only whole and verified: everything is fetched, checked and unpacked
in a folder of another name, which is renamed at the end.
"""

import contextlib
import fcntl
import hashlib
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from stack import packages, places, versions
from stack.errors import StackError
from stack.versions import Archive, Libraries

Report = Callable[[str], None]
ATTEMPTS = 2
HERE = Path(__file__).parent


class BrokenDownload(Exception):
    """A file is missing or is not the one that was pinned."""


def fetched(source: Archive | Libraries, report: Report) -> Path:
    """The folder of a program in the cache, downloading it if need be. Raises StackError."""
    target = places.cache() / source.directory
    if target.exists():
        return target
    with locked(report):
        if not target.exists():
            shutil.rmtree(_repository(), ignore_errors=True)
            _download(source, target, report)
    return target


def verify(folder: Path, expected: dict[str, str]) -> None:
    """Check that a folder holds exactly the expected files, by name and SHA-256. Raises BrokenDownload."""
    found = {path.name for path in folder.iterdir()}
    if wrong := found ^ expected.keys():
        raise BrokenDownload(f"missing or unexpected: {', '.join(sorted(wrong))}")
    for name, digest in expected.items():
        with (folder / name).open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != digest:
            raise BrokenDownload(f"{name} has SHA-256 {actual}, expected {digest}")


def manifest(path: Path) -> dict[str, str]:
    """File names and digests of a manifest as sha256sum writes it."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def _download(source: Archive | Libraries, target: Path, report: Report) -> None:
    """Fetch, verify and unpack; what is broken is removed and fetched once more."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with unfinished(target) as folder:
                _fetch(source, folder, report)
                report("verifying")
                _verify_and_unpack(source, folder)
            shutil.rmtree(_repository(), ignore_errors=True)
            return
        except BrokenDownload as error:
            shutil.rmtree(_repository(), ignore_errors=True)
            report(f"broken download (attempt {attempt} of {ATTEMPTS})")
            problem = f"The download of {source.name} {source.version} is broken: {error}."
    raise StackError(
        problem,
        "what was broken has been removed; check the network and Maven's settings (~/.m2/settings.xml), "
        "then run this again.",
    )


def _verify_and_unpack(source: Archive | Libraries, folder: Path) -> None:
    if isinstance(source, Libraries):
        verify(folder, manifest(HERE / source.manifest))
        return
    archive = next(folder.iterdir(), None)
    if archive is None:
        raise BrokenDownload("no file arrived")
    verify(folder, {archive.name: source.sha256})
    _unpack(archive, folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a verified zip or tar.gz into its own folder, without the archive's outermost folder. A jar stays."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                path = Path(content.extract(entry, folder))
                path.chmod(stat.S_IMODE(entry.external_attr >> 16) | (0o755 if entry.is_dir() else 0o644))
    elif archive.suffix == ".gz":
        with tarfile.open(archive) as content:
            # Python before 3.11.4 has no filters; what is unpacked is verified already.
            content.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            content.extractall(folder)  # noqa: S202 - with the filter above
    else:
        return
    archive.unlink()
    if len(inside := list(folder.iterdir())) == 1:
        for path in inside[0].iterdir():
            path.rename(folder / path.name)
        inside[0].rmdir()


def _fetch(source: Archive | Libraries, folder: Path, report: Report) -> None:
    """Run Maven, telling how much has arrived."""
    packages.install(["maven"], report)
    with tempfile.TemporaryFile("w+") as output:
        # A session of its own: Ctrl-C must not look like a broken download.
        maven = subprocess.Popen(
            _maven(source, folder), stdout=output, stderr=subprocess.STDOUT, cwd=folder.parent, start_new_session=True
        )
        try:
            while maven.poll() is None:
                report(f"downloading, {_size(_repository()) // 1_000_000} of about {source.megabytes} MB")
                time.sleep(0.5)
        finally:
            maven.kill()
        if maven.returncode:
            output.seek(0)
            lines = [line.strip() for line in output if "ERROR" in line]
            raise BrokenDownload(lines[0] if lines else f"mvn ended with status {maven.returncode}")


def _maven(source: Archive | Libraries, folder: Path) -> list[str]:
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{versions.MAVEN_DEPENDENCY_PLUGIN}"
    command = ["mvn", "-B", "-C", f"-Dmaven.repo.local={_repository()}", f"-DoutputDirectory={folder}"]
    if isinstance(source, Archive):
        return [*command, f"{plugin}:copy", f"-Dartifact={source.artifact}"]
    pom = _repository() / "pom.xml"
    pom.parent.mkdir(parents=True, exist_ok=True)
    pom.write_text(_pom(source))
    return [*command, "-f", str(pom), f"{plugin}:copy-dependencies"]


def _pom(libraries: Libraries) -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        for group, artifact, version in (coordinates.split(":") for coordinates in libraries.artifacts)
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>stack</groupId><artifactId>{libraries.name}</artifactId><version>{libraries.version}</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def _repository() -> Path:
    """Maven's own cache while it downloads; of no use afterwards."""
    return places.cache() / "maven"


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@contextlib.contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """An empty folder that becomes the target if all goes well, and vanishes if not."""
    folder = target.with_name(f".{target.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(report: Report) -> Iterator[None]:
    """One download at a time, among all stacks of this user."""
    places.cache().mkdir(parents=True, exist_ok=True)
    with (places.cache() / "lock").open("w") as file:
        report("waiting to download")
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
