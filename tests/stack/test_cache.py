"""Downloads: verified, fetched once, repaired."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from stack import cache, places, versions
from stack.cache import BrokenDownload
from stack.errors import StackError
from stack.versions import Archive

CONTENT = b"a program"
MAVEN = """#!/bin/sh
echo run >> {calls}
for argument; do case $argument in -DoutputDirectory=*) folder=${{argument#*=}};; esac; done
if [ $(wc -l < {calls}) -le {broken} ]; then printf damaged; else cat {content}; fi > $folder/program.jar
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def source(monkeypatch, tmp_path) -> Archive:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Archive("program", "1", "org:program:1", sha256(CONTENT), 1)


@pytest.fixture
def maven(monkeypatch, tmp_path):
    """Puts a Maven on the path whose first downloads are broken; gives the file with a line per run."""

    def install(broken: int) -> Path:
        calls, content, program = tmp_path / "calls", tmp_path / "content", tmp_path / "bin" / "mvn"
        content.write_bytes(CONTENT)
        program.parent.mkdir()
        program.write_text(MAVEN.format(calls=calls, content=content, broken=broken))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        return calls

    return install


def report(text: str) -> None:
    pass


def test_a_download_is_verified_and_kept(source, maven):
    calls = maven(broken=0)
    folder = cache.fetched(source, report)
    assert (folder / "program.jar").read_bytes() == CONTENT
    assert cache.fetched(source, report) == folder
    assert calls.read_text().count("run") == 1


def test_a_broken_download_is_fetched_again(source, maven):
    calls = maven(broken=1)
    assert (cache.fetched(source, report) / "program.jar").read_bytes() == CONTENT
    assert calls.read_text().count("run") == 2


def test_a_download_that_stays_broken_is_reported_and_removed(source, maven):
    maven(broken=9)
    with pytest.raises(StackError, match=r"program 1 is broken.*SHA-256"):
        cache.fetched(source, report)
    assert [path.name for path in places.cache().iterdir()] == ["lock"]


def test_a_folder_with_the_pinned_files_passes(tmp_path):
    (tmp_path / "a.jar").write_bytes(CONTENT)
    cache.verify(tmp_path, {"a.jar": sha256(CONTENT)})


@pytest.mark.parametrize(
    "expected",
    [{"a.jar": "0" * 64}, {}, {"a.jar": sha256(CONTENT), "b.jar": sha256(CONTENT)}],
    ids=["changed", "unexpected", "missing"],
)
def test_a_folder_with_other_files_is_broken(tmp_path, expected):
    (tmp_path / "a.jar").write_bytes(CONTENT)
    with pytest.raises(BrokenDownload, match="jar"):
        cache.verify(tmp_path, expected)


def test_kafka_is_pinned_jar_by_jar():
    pinned = cache.manifest(cache.HERE / versions.KAFKA.manifest)
    assert f"kafka_2.13-{versions.KAFKA.version}.jar" in pinned
    assert all(len(digest) == 64 for digest in pinned.values())


def test_programs_in_a_zip_stay_executable_and_become_readable(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as content:
        entry = zipfile.ZipInfo("outer/bin/start")
        entry.external_attr = 0o750 << 16
        content.writestr(entry, "#!/bin/sh")
    cache._unpack(tmp_path / "a.zip", tmp_path)
    assert (tmp_path / "bin" / "start").stat().st_mode & 0o777 == 0o754


def test_a_tar_is_unpacked_without_its_outermost_folder(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as content:
        entry = tarfile.TarInfo("outer/file")
        entry.size = len(CONTENT)
        content.addfile(entry, io.BytesIO(CONTENT))
    cache._unpack(tmp_path / "a.tar.gz", tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not (tmp_path / "a.tar.gz").exists()
