"""The sink of docs/adding-a-sink.md: built from the page, by one module and one line, it is like any other stage."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress

import orjson
import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.urls import reverse

from audittrail import contracts
from audittrail.events.event import EnrichedEvent
from audittrail.integrity.fingerprints import EventDigest
from audittrail.integrity.store_comparison import StoreUnavailable
from consumers import conf, stages
from consumers.errors import NotReady
from consumers.kafka import schema_registry
from consumers.models import StageControl
from consumers.operations.caught_up import Watch, goal
from consumers.records import Record
from consumers.supervision import control
from newsroom.models import Article
from testkit.audittrail.indexes import event
from testkit.consumers.running import process
from testkit.consumers.witness import some_articles
from testkit.paths import ROOT
from testkit.waiting import until

DOCUMENT = ROOT / "docs" / "adding-a-sink.md"
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OFFSET = 64


@pytest.fixture
def lines(tmp_path, monkeypatch, settings):
    """The page's files as a site has them, for this process and those it starts; the folder that the sink writes to."""
    site, folder = tmp_path / "site", tmp_path / "lines"
    folder.mkdir()
    files = dict(BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")))
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(f"from auditsite.settings import *\n\n{text}" if name == "settings.py" else text)
    (site / "settings.py").rename(site / "settings_with_sink.py")
    monkeypatch.setenv("JSON_LINES_FOLDER", str(folder))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings_with_sink")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(site)
    line: dict[str, list[str]] = {}
    exec(files["settings.py"], line)
    settings.AUDIT_STAGES = line["AUDIT_STAGES"]
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "mysite"]:
        del sys.modules[name]
    stages._table.cache_clear()


@pytest.fixture
def sink(lines, own_contracts):
    sink = stages.find("json_lines").make_stage()
    sink.open()
    return sink


def record(content: EnrichedEvent, offset: int = 0) -> Record:
    value = schema_registry.codec(contracts.ENRICHED).encode(content)
    return Record(conf.enriched_topic(), 0, offset, 0, None, {}, value)


def stored(folder) -> list[tuple[str, int]]:
    """Article and sequence of each line."""
    events = [orjson.loads(line) for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]
    return [(event["article_id"], event["sequence"]) for event in events]


def test_the_same_events_again_change_nothing(sink, lines):
    batch = [record(event(1, number), number) for number in (1, 2)]

    assert all(sink.process(batch).rejections == [] for _ in range(2))

    assert stored(lines) == [("newsroom.article:1", 1), ("newsroom.article:1", 2)]


def test_half_a_line_is_written_again(sink, lines):
    sink.process([record(event(1, 1))])
    (file,) = lines.iterdir()
    file.write_bytes(file.read_bytes()[:-20])

    sink.process([record(event(1, 1))])

    assert stored(lines) == [("newsroom.article:1", 1)]


def test_another_hash_is_rejected_as_a_fork(sink, lines):
    sink.process([record(event(1, 1))])

    (rejection,) = sink.process([record(event(1, 1, hash=bytes([9]) * 32))]).rejections

    assert (rejection.reason, rejection.article_id, rejection.sequence) == ("fork", "newsroom.article:1", 1)


def test_a_folder_that_is_away_is_waited_for(sink, lines):
    lines.rmdir()

    with pytest.raises(NotReady, match="No such file"):
        sink.process([record(event(1, 1))])


def test_its_events_are_verified_whole(sink, lines):
    events = [event(1, 1), event(1, 2), event(2, 1)]
    sink.process([record(each, number) for number, each in enumerate(events)])
    store = sink.spec.verified

    assert sorted(store.digests(None)) == [EventDigest.of(each) for each in events]
    assert list(store.digests("newsroom.article:2")) == [EventDigest.of(events[2])]


def test_a_folder_that_is_away_proves_nothing(lines):
    store = stages.find("json_lines").verified
    assert store is not None
    lines.rmdir()

    with pytest.raises(StoreUnavailable, match="No such file"):
        list(store.digests(None))


# On the page, in commands, in metrics


@pytest.mark.django_db(databases=["default", "logins"])
def test_it_is_on_the_page_of_consumers(lines, client):
    client.force_login(get_user_model().objects.create_superuser("boss", "", "secret"))

    page = client.get(reverse("admin:consumers_overview")).content.decode()

    assert 'data-stage="json_lines"' in page
    assert "…enriched → JSON lines" in page


@pytest.mark.django_db
def test_an_admin_can_steer_it(lines):
    control.pause("json_lines", get_user_model().objects.create_superuser("boss", "", "secret"))

    assert StageControl.objects.get(stage="json_lines").desired_state == "paused"


def test_consumer_status_shows_it(lines, own_trail):
    table, answer = io.StringIO(), io.StringIO()
    with suppress(SystemExit):
        call_command("consumer_status", stdout=table)
    with suppress(SystemExit):
        call_command("consumer_status", "--json", stdout=answer)

    last = json.loads(answer.getvalue())["stages"][-1]
    assert "json_lines" in table.getvalue()
    assert (last["stage"], last["group"], last["lag"]) == ("json_lines", conf.group("json-lines"), 0)


def test_run_consumer_knows_it(lines):
    help_text = subprocess.run(
        [sys.executable, "manage.py", "run_consumer", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert "  json_lines …enriched                                   → JSON lines" in help_text
    assert "relay, enricher, database, search, archive or json_lines" in " ".join(help_text.split())


@contextmanager
def supervised():
    """All stages, kept running by a supervisor."""
    control.ensure_controls()
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "run_consumers"], cwd=ROOT, env={**os.environ}
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(40)


@pytest.mark.timeout(300)
def test_events_arrive_in_it_and_are_waited_for(lines, own_trail, own_bucket):
    with supervised():
        (article,) = some_articles(1)
        call_command("wait_until_caught_up", timeout=120, stdout=io.StringIO())
        assert stored(lines) == [(f"newsroom.article:{article.pk}", 1)]
        assert _verified() == (True, 1, [])

        (file,) = lines.iterdir()
        file.write_bytes(file.read_bytes().replace(b'"kind":"newsroom.article"', b'"kind":"newsroom.poem"'))
        assert _verified() == (False, 1, [("json_lines", "altered", 1)])

        control.stop("json_lines", None)
        until(lambda: "json_lines" not in _running(), what="the end of the sink")
        Article.objects.update(headline="Changed")
        until(_lacks_only_the_sink, what="the event in every other store")
        with pytest.raises(CommandError) as missed:
            call_command("wait_until_caught_up", timeout=0, stdout=io.StringIO())

    assert str(missed.value).splitlines()[1:] == [
        "json_lines: 1 events missing",
        f"  json_lines: newsroom.article:{article.pk} lacks 1 events",
    ]


def _verified() -> tuple[bool, int, list[tuple[str, str, int]]]:
    """Whether the trail is complete, how many events of the sink were read, and what is wrong: as a process says."""
    command = [sys.executable, "-W", "ignore", "manage.py", "verify_trail", "--json", "--grace", "0"]
    report = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)
    findings = [(finding["store"], finding["kind"], finding["sequence"]) for finding in report["findings"]]
    return report["complete"], report["events"]["json_lines"], findings


def _lacks_only_the_sink() -> bool:
    watch = Watch(goal())
    watch.look()
    return {name for name, count in watch.missing.items() if count != 0} == {"json_lines"}


def _running() -> set[str]:
    from consumers.supervision.status import collect

    return {stage.stage for stage in collect().stages if stage.alive}


def test_run_consumer_runs_it_and_serves_its_metrics(lines, own_trail, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with process("json_lines", AUDIT_METRICS_PORT=str(port - OFFSET)):
        metrics = until(lambda: _get(f"http://127.0.0.1:{port}/metrics"), what="metrics")

    assert 'audit_state{audit_state="starting",stage="json_lines"}' in metrics


def _get(address: str) -> str:
    with suppress(OSError), urllib.request.urlopen(address) as answer:
        text = answer.read().decode()
        return text if "json_lines" in text else ""
    return ""


# What is wrong is said


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("mysite.nowhere.SPEC", "'mysite.nowhere.SPEC' cannot be imported: No module named"),
        ("mysite.json_lines.SPECK", 'does not define a "SPECK"'),
        ("SPEC", "'SPEC' cannot be imported"),
        ("mysite.json_lines.JsonLines", "'mysite.json_lines.JsonLines' is not a StageSpec"),
        ("consumers.stages.SEARCH", "search and search"),
    ],
)
def test_a_wrong_path_is_named_with_its_setting_and_the_remedy(lines, settings, path, says):
    settings.AUDIT_STAGES = [path]

    with pytest.raises(ImproperlyConfigured) as error:
        stages.table()

    assert str(error.value).startswith("AUDIT_STAGES")
    assert says in str(error.value)
    assert "Give" in str(error.value)


def test_a_wrong_path_ends_the_start(lines):
    (lines.parent / "site" / "settings_with_sink.py").write_text(
        "from auditsite.settings import *\n\nAUDIT_STAGES = ['mysite.jsonlines.SPEC']\n"
    )

    check = subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, capture_output=True, text=True)

    assert check.returncode == 1
    assert "AUDIT_STAGES: 'mysite.jsonlines.SPEC' cannot be imported" in check.stderr
