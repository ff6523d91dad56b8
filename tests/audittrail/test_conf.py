"""Addresses of servers come from the environment, else from the site's Django settings, and from nowhere else."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from audittrail import conf


def test_a_variable_wins_over_the_site_s_default(monkeypatch, settings):
    settings.AUDIT_DEFAULTS = {"ELASTICSEARCH_URL": "http://site:9200"}
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://variable:9200")
    assert conf.elasticsearch_url() == "http://variable:9200"


def test_the_site_gives_the_default(monkeypatch, settings):
    settings.AUDIT_DEFAULTS = {"ELASTICSEARCH_URL": "http://site:9200"}
    monkeypatch.setenv("ELASTICSEARCH_URL", "")
    assert conf.elasticsearch_url() == "http://site:9200"


@pytest.mark.parametrize("defaults", [{}, {"ELASTICSEARCH_URL": ""}])
def test_an_address_that_nobody_gives_is_named(monkeypatch, settings, defaults):
    settings.AUDIT_DEFAULTS = defaults
    monkeypatch.delenv("ELASTICSEARCH_URL", raising=False)
    with pytest.raises(ImproperlyConfigured, match=r"^ELASTICSEARCH_URL is not set.*AUDIT_DEFAULTS"):
        conf.elasticsearch_url()
