"""The table of stages: what it says is true of the classes, and whoever only reads it imports none of them."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from consumers import conf, stages
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.stages import site_stages
from testkit.paths import ROOT

WITH_A_CLASS = [spec for spec in stages.BUILT_IN if spec.stage]


@pytest.mark.parametrize("spec", WITH_A_CLASS, ids=lambda spec: spec.name)
def test_the_class_has_its_row(spec):
    assert import_string(spec.stage).spec is spec


def test_stages_are_in_the_order_in_which_an_event_passes_them():
    assert list(stages.table())[:5] == ["relay", "enricher", "database", "search", "archive"]


def test_a_stage_is_found_by_its_alias():
    assert stages.find("relay_outbox") is stages.RELAY


def test_an_unknown_name_is_refused():
    with pytest.raises(KeyError):
        stages.find("serach")


def test_names_follow_the_environment(monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", "some-")

    assert stages.ENRICHER.topics() == ["some-content-audit-trail"]
    assert stages.ENRICHER.group == "some-audit-trail-processor"


@pytest.mark.parametrize(
    ("spec", "slot", "port"),
    [
        (stages.RELAY, 1, None),
        (stages.ENRICHER, 1, 9400),
        (stages.DATABASE, 2, 9417),
        (stages.SEARCH, 1, 9432),
        (stages.ARCHIVE, MOST_PROCESSES, 9463),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_process_has_a_metrics_port_of_its_own(monkeypatch, spec, slot, port):
    monkeypatch.setenv("AUDIT_METRICS_PORT", "9400")

    assert spec.metrics_port(slot) == port


def test_without_a_first_port_there_are_no_metrics(monkeypatch):
    monkeypatch.delenv("AUDIT_METRICS_PORT", raising=False)

    assert stages.ENRICHER.metrics_port(1) is None


@pytest.mark.parametrize(
    ("values", "shared"),
    [
        ({"name": "search"}, "name"),
        ({"name": "relay_outbox"}, "name"),
        ({"group_name": "archive"}, "group_name"),
        ({"member_name": "archive-node"}, "member_name"),
        ({"metrics_offset": 48}, "metrics_offset"),
    ],
)
def test_what_two_stages_cannot_share_is_refused(settings, monkeypatch, values, shared):
    given = {"name": "other", "group_name": "other", "member_name": "other-node", "metrics_offset": 64} | values
    monkeypatch.setattr(conf, "SPEC", replace(stages.SEARCH, **given), raising=False)
    settings.AUDIT_STAGES = ["consumers.conf.SPEC"]

    stages._table.cache_clear()
    with pytest.raises(ImproperlyConfigured, match=f"have the same {shared}"):
        stages.table()


def test_the_site_and_the_worker_import_no_stage():
    script = """
import sys, django
django.setup()
import auditsite.urls, consumers.tasks
from consumers import stages
paths = [path for spec in stages.table().values() for path in (spec.stage, spec.runner) if path]
print([path for path in paths if path.rpartition(".")[0] in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "two words"}, "name='two words': use lower-case letters"),
        ({"stage": ""}, "stage is empty: give the dotted path"),
        ({"member_name": ""}, "it reads from Kafka: give it reads, group_name and member_name"),
        ({"reads": ("topic",)}, "reads: give functions"),
        ({"metrics_offset": 65}, "metrics_offset=65: give a multiple of 16"),
    ],
)
def test_a_spec_that_cannot_work_is_refused_with_its_field_and_the_remedy(monkeypatch, changed, says):
    own = {"name": "own", "group_name": "own", "member_name": "own-node", "metrics_offset": 64, **changed}
    monkeypatch.setattr(stages, "OWN", replace(stages.SEARCH, **own), raising=False)

    with pytest.raises(ImproperlyConfigured, match=f"AUDIT_STAGES: 'consumers.stages.OWN': {re.escape(says)}"):
        site_stages.imported("consumers.stages.OWN")


def test_a_text_in_place_of_the_list_is_refused(settings):
    settings.AUDIT_STAGES = "mysite.json_lines.SPEC"

    with pytest.raises(ImproperlyConfigured, match="give a list of dotted paths"):
        stages.table()
